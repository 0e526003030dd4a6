"""The account's page, in a browser: keys, teams and service accounts are made there; what is secret is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from live_server import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Page


def shown_secret(page: Page) -> str:
    key = page.get_by_label("API key", exact=True).input_value()
    page.get_by_role("button", name="Done").click()
    return key


def viewer(server: LiveServer, key: str) -> str:
    query = {"query": "{ viewer { username } }"}
    answer = requests.post(f"{server.url}/graphql", json=query, auth=("api", key), timeout=30)
    return str(answer.json()["data"]["viewer"]["username"])


def test_keys_teams_and_service_accounts_are_made(server: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    page.goto(f"{server.url}/account")
    page.get_by_role("button", name="Make a key…").click()
    key = shown_secret(page)
    assert viewer(server, key) == server.user
    expect(page.locator("code", has_text=f"…{key[-4:]}")).to_be_visible()

    page.get_by_role("button", name="Make a team…").click()
    page.get_by_label("Name").fill("crew")
    page.get_by_role("button", name="Make the team").click()
    expect(page.get_by_role("heading", name="Team crew")).to_be_visible()

    page.get_by_role("button", name="Service account…").click()
    page.get_by_label("What it is for").fill("nightly runs")
    page.get_by_role("button", name="Make the account").click()
    name = viewer(server, shown_secret(page))
    assert name.startswith("crew-service-")
    expect(page.get_by_role("cell", name=name)).to_be_visible()
