"""DSPy: two evaluations of a program whose language model is a list of answers, and the program itself."""

import dspy
from dspy.utils import DummyLM

import wandb
from wandb.integration.dspy import WandbDSPyCallback

EXAMPLES = [
    dspy.Example(question=f"{number} + 1", answer=str(number + 1)).with_inputs("question") for number in range(3)
]
ANSWERS = [{"answer": "1"}, {"answer": "2"}, {"answer": "7"}]

with wandb.init(tags=["prompts"]):
    callback = WandbDSPyCallback()
    dspy.configure(lm=DummyLM([*ANSWERS, *ANSWERS[::-1]]), callbacks=[callback])
    program = dspy.Predict("question -> answer")
    for _ in range(2):
        evaluate = dspy.Evaluate(
            devset=EXAMPLES, metric=dspy.evaluate.answer_exact_match, num_threads=1, display_progress=False
        )
        evaluate(program)
    callback.log_best_model(program, save_program=False)
