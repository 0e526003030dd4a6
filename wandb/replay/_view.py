"""The full-screen view of a run: `wandb replay --view`.

It reads the log as `--follow` does, in a thread, and takes no lock that the run's writer would wait for. What it draws
is text, so it works over ssh.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional

from rich.console import RenderableType
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static, TabbedContent, TabPane
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from wandb_storage import LogError

from .._run_folders import run_folders
from ._story import STATE_STYLES, overview
from ._view_charts import Charts
from ._view_console import ConsolePane
from ._view_model import Model
from ._words import clean, count, duration

if TYPE_CHECKING:
    from ._mirror import Mirror
    from ._series import Series

_DRAW_SECONDS = 0.5
_HELP = """\
 1 2 3 4      charts, overview, machine, console
 r            another run of this folder

 arrows       select a chart          enter  let it have the pane
 page up/down the page before, or next
 /            only metrics that fit a pattern; escape: all
 + -          closer, farther         < >    along the axis
 0            everything again
 x            steps or time           l      logarithmic
 s            smoothing: none, 0.6, 0.9, 0.97

 q            leave; the run goes on
"""


class _Help(ModalScreen[None]):
    """The keys."""

    CSS = "_Help { align: center middle; } #keys { width: 72; height: auto; border: round $primary; padding: 1 2; }"
    BINDINGS: ClassVar[List[Any]] = [Binding("escape,q,question_mark,enter", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        yield Static(Text(_HELP), id="keys")


class _Runs(ModalScreen[Optional[str]]):
    """The runs of the folder, the newest first."""

    CSS = "_Runs { align: center middle; } OptionList { width: 80%; height: 80%; border: round $primary; }"
    BINDINGS: ClassVar[List[Any]] = [Binding("escape,q", "leave", "back")]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        runs = run_folders(self._folder.parent)
        yield OptionList(*(Option(Text(run.path.name), id=run.path.name) for run in reversed(runs)))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_leave(self) -> None:
        self.dismiss(None)


class RunView(App[None]):
    """One run, on the whole terminal."""

    TITLE = "wandb replay"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #headline { height: 1; padding: 0 1; background: $panel; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; }
    #filter { display: none; dock: bottom; }
    #filter.shown { display: block; }
    #overview { padding: 0 1; }
    """
    BINDINGS: ClassVar[List[Any]] = [
        Binding("q", "quit", "leave"),
        Binding("1", "show('charts')", "charts", show=False),
        Binding("2", "show('overview')", "overview", show=False),
        Binding("3", "show('machine')", "machine", show=False),
        Binding("4", "show('console')", "console", show=False),
        Binding("r", "runs", "runs"),
        Binding("slash", "filter", "filter"),
        Binding("enter", "charts('toggle_alone')", "one chart", priority=False),
        Binding("left", "charts('move', -1)", show=False),
        Binding("right", "charts('move', 1)", show=False),
        Binding("up", "charts('move_line', -1)", show=False),
        Binding("down", "charts('move_line', 1)", show=False),
        Binding("pageup", "charts('move_page', -1)", show=False),
        Binding("pagedown", "charts('move_page', 1)", show=False),
        Binding("plus,equals_sign", "charts('zoom', True)", "closer"),
        Binding("minus", "charts('zoom', False)", "farther"),
        Binding("less_than_sign,comma", "charts('pan', -1)", show=False),
        Binding("greater_than_sign,full_stop", "charts('pan', 1)", show=False),
        Binding("0", "charts('reset')", show=False),
        Binding("x", "charts('toggle_times')", "steps/time"),
        Binding("l", "charts('toggle_logarithmic')", "log"),
        Binding("s", "charts('smooth_more')", "smooth"),
        Binding("escape", "unfilter", show=False),
        Binding("question_mark", "help", "keys"),
    ]

    def __init__(self, folder: Path, mirror: Optional[Mirror] = None, origin: str = "") -> None:
        super().__init__()
        self._model = Model(folder, mirror, origin)
        self._drawn = -1
        self._reading: Any = None  # of which charts, between which steps, which metrics

    def compose(self) -> ComposeResult:
        yield Static(id="headline")
        with TabbedContent(initial="charts"):
            with TabPane("1 charts", id="charts"):
                yield Charts(self._model)
            with TabPane("2 overview", id="overview-pane"), VerticalScroll():
                yield Static(id="overview")
            with TabPane("3 machine", id="machine"):
                yield Charts(self._model, system=True)
            with TabPane("4 console", id="console"):
                yield ConsolePane(self._model)
        yield Input(placeholder="loss, val/*", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        self._model.start()
        self.set_interval(_DRAW_SECONDS, self._draw)
        self.query_one(Charts).focus()
        self._draw()

    def on_unmount(self) -> None:
        self._model.stop()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Show what is new; nothing where nothing is."""
        if self._model.version == self._drawn and self.size == self._size_drawn:
            return
        self._drawn, self._size_drawn = self._model.version, self.size
        self.query_one("#headline", Static).update(self._headline())
        for charts in self.query(Charts):
            charts.refresh()
        self.query_one(ConsolePane).take()
        if self._active == "overview-pane":
            self.query_one("#overview", Static).update(self._overview())
        self._want_detail()

    _size_drawn: Any = None

    @property
    def _active(self) -> str:
        return self.query_one(TabbedContent).active

    def _headline(self) -> RenderableType:
        found = self._model.follower.found
        start = found.state.start
        line = Text(no_wrap=True, overflow="ellipsis")
        if self._model.reading:
            line.append("… reading", style="bold blue")
        else:
            state = self._model.follower.ended.state
            mark, style = STATE_STYLES[state]
            line.append(f"{mark} {state}", style=style)
        line.append(f"  {clean(start.name or self._model.folder.name)}  ", style="bold")
        facts = [clean(start.project or ""), f"id {clean(self._model.follower.run_id)}"]
        facts.append("no row yet" if found.last_step is None else f"step {found.last_step:,}")
        facts += [count(found.state.rows, "row"), duration(found.state.runtime)]
        line.append(" · ".join(fact for fact in facts if fact), style="dim")
        trouble = self._model.trouble or found.damage
        if trouble is not None:
            line.append(f"  {clean(str(trouble))}", style="bold red")
        elif self._model.curves.left_out:
            line.append("  more metrics than can be drawn", style="yellow")
        return line

    def _overview(self) -> RenderableType:
        with self._model.lock:
            return overview(self._model.replay, max(40, self.size.width - 4))

    def _want_detail(self) -> None:
        charts = self._charts
        steps = charts.wants_detail if charts is not None else None
        if charts is None or steps is None:
            return
        names = charts.on_page()
        if self._reading == (charts, steps, names):
            return  # what a running run adds doesn't make it begin again
        self._reading = (charts, steps, names)

        def read() -> None:
            worker = get_current_worker()
            try:
                series = self._model.details(names, *steps, lambda: not worker.is_cancelled)
            except LogError:
                return  # what was collected is shown as it is
            if not worker.is_cancelled:
                self.call_from_thread(take, series)

        def take(series: Dict[str, Series]) -> None:
            if self._reading == (charts, steps, names):
                self._reading = None
                charts.set_detail(steps, series)

        self.run_worker(read, thread=True, exclusive=True, group="detail")

    # --- keys ---------------------------------------------------------------------------------------------------------

    @property
    def _charts(self) -> Optional[Charts]:
        """The charts of the tab that is shown, where it has any."""
        pane = self.query_one(f"#{self._active}")
        return pane.query(Charts).first() if pane.query(Charts) else None

    def action_show(self, name: str) -> None:
        tabs = self.query_one(TabbedContent)
        tabs.active = "overview-pane" if name == "overview" else name
        self._drawn = -1
        self.call_after_refresh(self._focus_pane)

    def _focus_pane(self) -> None:
        charts = self._charts
        if charts is not None:
            charts.focus()
        elif self._active == "console":
            self.query_one(ConsolePane).focus()
        else:
            self.query_one("#overview-pane VerticalScroll").focus()
        self._draw()

    def action_charts(self, what: str, *arguments: Any) -> None:
        """Let the charts that are shown do something, and read what they show then."""
        charts = self._charts
        if charts is not None:
            getattr(charts, what)(*arguments)
            self._want_detail()

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_unfilter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        charts = self._charts
        if charts is not None:
            charts.pattern, charts.selected = event.value, 0
            charts.refresh()
            self._want_detail()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("shown")
        self._focus_pane()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        self._drawn = -1
        self._draw()

    def action_help(self) -> None:
        self.push_screen(_Help())

    def action_runs(self) -> None:
        self.push_screen(_Runs(self._model.folder), self._go_to)

    def _go_to(self, name: Optional[str]) -> None:
        if name is None:
            return
        try:
            model = Model(self._model.folder.parent / name)
        except LogError as error:
            self.notify(str(error), severity="error")
            return
        self.workers.cancel_group(self, "detail")
        self._reading = None
        self._model.stop()
        self._model = model
        for charts in self.query(Charts):
            charts.model, charts.selected = model, 0
            charts.reset()
        self.query_one(ConsolePane).show(model)
        model.start()
        self._drawn = -1
        self._draw()
