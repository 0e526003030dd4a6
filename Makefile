# The two commands of the README. Each sets up everything that it needs in .venv, and nothing outside this folder.
PYTHON ?= python3
VENV := .venv

.PHONY: demo test clean

demo: $(VENV)/demo-ready
	$(VENV)/bin/python examples/demo.py

test: $(VENV)/test-ready
	$(VENV)/bin/python -m tox

# An editable install maps files one by one, so a new file needs it again: the stamps depend on the list of files.
SOURCES := setup.py pyproject.toml $(shell find wandb storage uploader -name '*.py' -o -name '*.graphql' -o -path '*static*' -type f)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.9 or later is needed" if sys.version_info < (3, 9) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade "pip>=24"

$(VENV)/demo-ready: $(VENV)/bin/python $(SOURCES)
	$(VENV)/bin/python -m pip install --quiet --editable ".[demo]"
	touch $@

$(VENV)/test-ready: $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet "tox>=4.20"
	touch $@

clean:
	rm -rf $(VENV) .tox build *.egg-info
