"""The part of `Api` about launch queues."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ._connection import Connection
from .jobs import QUEUES_PROJECT, QueuedRun, RunQueue, create_queue, upsert_queue


class QueuesPart(Connection):
    """The base of `Api`."""

    def create_project(self, name: str, entity: str) -> None:
        """See `Api`."""
        raise NotImplementedError

    def run_queue(self, entity: str, name: str) -> RunQueue:
        """A queue, about which the server is asked when something of it is first used."""
        return RunQueue(self.source, name, entity)

    def create_run_queue(
        self,
        name: str,
        type: str,
        entity: Optional[str] = None,
        prioritization_mode: Optional[str] = None,
        config: Optional[Mapping[str, Any]] = None,
        template_variables: Optional[Mapping[str, Any]] = None,
    ) -> RunQueue:
        """Make a queue of an entity.

        type: what its runs run on, `"local-container"`, `"local-process"`, `"kubernetes"`, `"sagemaker"` or
        `"gcp-vertex"`. prioritization_mode: `"V0"` where runs have priorities. config: what each run gets, in which
        `{{name}}` stands for one of the template_variables, name -> schema. Raises ValueError for what makes no sense.
        """
        owner = self.entity_or_default(entity)
        return create_queue(self, name, type, owner, prioritization_mode, config or {}, template_variables)

    def upsert_run_queue(
        self,
        name: str,
        resource_config: Mapping[str, Any],
        resource_type: str,
        entity: Optional[str] = None,
        template_variables: Optional[Mapping[str, Any]] = None,
        external_links: Optional[Mapping[str, str]] = None,
        prioritization_mode: Optional[str] = None,
    ) -> RunQueue:
        """Make a queue, or change the one of that name.

        external_links: label -> URL, for its page. The others as in `create_run_queue`.
        """
        owner = self.entity_or_default(entity)
        return upsert_queue(
            self, name, resource_config, resource_type, owner, template_variables, external_links, prioritization_mode
        )

    def queued_run(
        self,
        entity: str,
        project: str,
        queue_name: str,
        run_queue_item_id: str,
        project_queue: Optional[str] = None,
        priority: Optional[int] = None,
    ) -> QueuedRun:
        """A run that was put into a queue, by what the server calls it there."""
        queues = project_queue or QUEUES_PROJECT
        return QueuedRun(self.source, entity, project, queue_name, run_queue_item_id, queues, priority)
