"""What replay gives is typed."""

from typing import Any, Dict, Iterator, List, Optional

import wandb
from wandb.replay import Ended, History, Replay
from wandb_storage import Columns, ConsoleLine

run: Replay = wandb.replay("latest")
ended: Ended = run.ended
code: Optional[int] = ended.exit_code
config: Dict[str, Any] = run.config
keys: List[str] = run.keys
history: History = run.history(["loss"], from_step=10)
for row in history:
    value: Any = row["loss"]
batches: Iterator[Columns] = history.columns()
then: Replay = run.at(step=3)
lines: Iterator[ConsoleLine] = then.console
branch: Replay = run.fork(step=3, run_id="x")
