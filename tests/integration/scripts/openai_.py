"""OpenAI: a fine-tuning job that has ended, as a run. The service is a small one of this program's own."""

import base64
import http.server
import json
import os
import threading

import openai

from wandb.integration.openai.fine_tuning import WandbLogger

JOB = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1760000000,
    "finished_at": 1760000600,
    "error": None,
    "fine_tuned_model": "ft:tiny:1",
    "hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5},
    "model": "tiny",
    "organization_id": "org-1",
    "result_files": ["file-results"],
    "seed": 7,
    "status": "succeeded",
    "trained_tokens": 99,
    "training_file": "file-train",
    "validation_file": "file-valid",
}
RESULTS = b"step,train_loss,train_accuracy,valid_loss\n1,0.9,0.1,\n2,0.7,0.3,0.8\n3,0.5,0.6,\n"


def conversation(number: int) -> str:
    said = [("system", "Add."), ("user", f"{number} + 1"), ("assistant", str(number + 1))]
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in said]})


FILES = {
    "file-results": base64.b64encode(RESULTS),
    "file-train": "\n".join(map(conversation, range(5))).encode(),
    "file-valid": "\n".join(map(conversation, range(2))).encode(),
}


class Service(http.server.BaseHTTPRequestHandler):
    """What the job's endpoints answer."""

    def do_GET(self) -> None:
        _, kind, name, *_ = self.path.split("/")
        body = FILES[name] if kind == "files" else json.dumps(JOB).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if body[:1] == b"{" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=service.serve_forever, daemon=True).start()
client = openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{service.server_port}")
WandbLogger.sync(fine_tune_job_id="ftjob-1", openai_client=client, project=os.environ["WANDB_PROJECT"], tags=["tuned"])
