"""The endpoints for bytes: run files, artifact files and their parts, manifests.

A signed URL is the credential of all but the last two, by which a user gets a file by its names.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ._access import require_user, run_of_path, services_of
from ._artifact_commit import blob_size, find_manifest, hasher_of, record_manifest_size
from ._artifacts import artifact_by_id, blob_place, collection_by_id, manifest_place
from ._bytes import Check, DigestMismatchError, Hasher
from ._exports import Export, write_export
from ._files import StoredFile, file_place, find_file, record_file
from ._limits import MANIFEST_BYTES_MAX
from ._names import file_name_problem, parse_storage_number
from ._partial import UPLOAD_ID_HEADER, parse_content_range
from ._services import Services
from ._store import find_project, find_run_by_id, run_exists

# Types that a browser may show from this origin. Anything else, HTML above all, could run
# scripts with the session of whoever opens it, and is only offered as a download.
_SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})


async def _put_file(request: Request) -> Response:
    services = _signed(request)
    run_id, name = request.path_params["run_id"], request.path_params["name"]
    if file_name_problem(name):
        raise HTTPException(400, file_name_problem(name) or "")
    await run_in_threadpool(_require_run, services, run_id)
    if "content-range" in request.headers:
        return await _put_rest_of_file(request, services, run_id, name)
    hasher = hashlib.md5(usedforsecurity=False)
    size = await _receive(request, services, file_place(run_id, name), hasher)
    return await _recorded(services, run_id, name, size, hasher.digest())


async def _recorded(services: Services, run_id: int, name: str, size: int, digest: bytes) -> Response:
    md5 = base64.b64encode(digest).decode()
    await run_in_threadpool(_record_file, services, StoredFile(run_id, name, size, md5, services.clock()))
    return Response(headers={"ETag": f'"{md5}"'})


async def _put_rest_of_file(request: Request, services: Services, run_id: int, name: str) -> Response:
    """Tell how much of a file is here, or take the rest of it."""
    found = parse_content_range(request.headers["content-range"])
    upload_id = request.headers.get(UPLOAD_ID_HEADER, "")
    if found is None or not found.size or not upload_id:
        raise HTTPException(400, f"a Content-Range goes up to a file's end, and with {UPLOAD_ID_HEADER}")
    if found.size > services.file_bytes_max:
        raise HTTPException(413, f"the file is larger than {services.file_bytes_max} bytes")
    partial, place = services.partial, file_place(run_id, name)
    path = partial.path(place, upload_id, found.size)
    arrived = await run_in_threadpool(partial.arrived, path, found.size)
    if found.start != arrived:
        return Response(status_code=308, headers={"Range": f"bytes=0-{arrived - 1}"} if arrived else {})
    digest = await partial.receive(path, arrived, found.size, _bytes_of(request))
    if digest is None:
        raise HTTPException(400, "the body is shorter than its Content-Range says")
    await run_in_threadpool(services.bytes.take, place, path)
    return await _recorded(services, run_id, name, found.size, digest)


def _require_run(services: Services, run_id: int) -> None:
    with services.database.read() as connection:
        if not run_exists(connection, run_id):
            raise HTTPException(404, "the run of this file was deleted")


def _record_file(services: Services, stored: StoredFile) -> None:
    with services.database.write() as connection:
        # The run may have been deleted while the bytes came in.
        if not run_exists(connection, stored.run_id):
            services.bytes.delete_under(str(stored.run_id))
            raise HTTPException(404, "the run of this file was deleted")
        record_file(connection, stored)


async def _put_blob(request: Request) -> Response:
    """Take a file of an artifact. Its digest is part of the URL, so other bytes are refused."""
    services = _signed(request)
    project_id, key = request.path_params["project_id"], request.path_params["key"]
    size = await _receive(request, services, blob_place(project_id, key), hasher_of(key), _expecting(key))
    await run_in_threadpool(services.blobs.record, project_id, key, size, services.clock())
    return Response(headers={"ETag": f'"{key}"'})


def _expecting(key: str) -> Check:
    return expecting_digest(bytes.fromhex(key.partition("-")[2]))


def expecting_digest(expected: bytes) -> Check:
    def check(digest: bytes) -> None:
        if digest != expected:
            raise DigestMismatchError(f"the bytes have the digest {digest.hex()}, announced was {expected.hex()}")

    return check


async def _put_part(request: Request) -> Response:
    services = _signed(request)
    place = "parts/{upload}/{number}".format(**request.path_params)
    digest = hashlib.md5(usedforsecurity=False)
    await _receive(request, services, place, digest)
    # Clients name the parts by these when they complete the upload.
    return Response(headers={"ETag": f'"{digest.hexdigest()}"'})


async def _put_manifest(request: Request) -> Response:
    services = _signed(request)
    manifest_id = request.path_params["manifest_id"]
    announced = await run_in_threadpool(_announced_digest, services, manifest_id)
    check = expecting_digest(base64.b64decode(announced)) if announced else None
    digest = hashlib.md5(usedforsecurity=False)
    size = await _receive(request, services, manifest_place(manifest_id), digest, check, MANIFEST_BYTES_MAX)
    await run_in_threadpool(_record_manifest, services, manifest_id, size)
    return Response(headers={"ETag": f'"{digest.hexdigest()}"'})


def _announced_digest(services: Services, manifest_id: int) -> str:
    with services.database.read() as connection:
        manifest = find_manifest(connection, manifest_id)
    if manifest is None:
        raise HTTPException(404, "the artifact of this manifest was deleted")
    return manifest.digest


def _record_manifest(services: Services, manifest_id: int, size: int) -> None:
    with services.database.write() as connection:
        record_manifest_size(connection, manifest_id, size)


async def _receive(
    request: Request,
    services: Services,
    place: str,
    hasher: Hasher,
    check: Check | None = None,
    bytes_max: int | None = None,
) -> int:
    bound = services.file_bytes_max if bytes_max is None else bytes_max
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > bound:
        raise HTTPException(413, f"the file is larger than {bound} bytes")
    return await services.bytes.put(place, _bytes_of(request), bound, hasher, check)


async def _bytes_of(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


def _signed(request: Request) -> Services:
    """The services, if the URL of the request bears a valid signature."""
    services = services_of(request)
    problem = services.signer.problem(
        "GET" if request.method == "HEAD" else request.method,
        request.scope["path"],
        request.query_params.get("expires", ""),
        request.query_params.get("signature", ""),
        services.clock(),
    )
    if problem:
        raise HTTPException(403, problem)
    return services


def _get_signed_file(request: Request) -> Response:
    services = _signed(request)
    return _run_file_response(services, request.path_params["run_id"], request.path_params["name"])


def _get_signed_blob(request: Request) -> Response:
    parameters = request.path_params
    place = blob_place(parameters["project_id"], parameters["key"])
    return _response(_signed(request), place, parameters["name"])


def _get_signed_manifest(request: Request) -> Response:
    place = manifest_place(request.path_params["manifest_id"])
    return _response(_signed(request), place, "wandb_manifest.json")


def _get_export(request: Request) -> Response:
    services = _signed(request)
    parameters = request.path_params
    export = Export(parameters["run_id"], parameters["rewrites"], parameters["first"], parameters["end"])
    name = export.path.rpartition("/")[2]
    found = services.bytes.response(export.place, "application/vnd.apache.parquet", name, "attachment")
    if found is not None:
        return found
    with services.database.read() as connection:
        run = find_run_by_id(connection, export.run_id)
        if run is None or run.rewrites != export.rewrites:
            raise HTTPException(404, "the rows of this file have changed; ask the server for a new URL")
        data = write_export(connection, export)
    services.bytes.write(export.place, data)
    return _response(services, export.place, name)


def _get_run_file(request: Request) -> Response:
    services = services_of(request)
    with services.database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
    return _run_file_response(services, run.id, request.path_params["name"])


def _get_artifact_file(request: Request) -> Response:
    """Serve an artifact's file to a user by its digest, the way clients ask when a signed URL failed."""
    parameters = request.path_params
    services = services_of(request)
    digest = parameters["digest"]
    with services.database.read() as connection:
        user = require_user(request, connection)
        project = find_project(connection, parameters["entity"], parameters.get("project", ""))
        # The version that the file was uploaded for; another entity's is none of the user's business.
        number = parse_storage_number("Artifact", parameters.get("birth", ""))
        birth = None if number is None else artifact_by_id(connection, number)
        home = None if birth is None else collection_by_id(connection, birth.collection_id)
        place = home if home is not None and home.entity == parameters["entity"] else project
        if place is not None and user.may_see(place):
            for key in (f"md5-{digest}", f"xxh128-{digest}"):
                if blob_size(connection, place.project_id, key) is not None:
                    return _response(services, blob_place(place.project_id, key), parameters["name"])
    raise HTTPException(404, f"file {parameters['name']!r} was not found")


def _run_file_response(services: Services, run_id: int, name: str) -> Response:
    with services.database.read() as connection:
        stored = find_file(connection, run_id, name)
    if stored is None:
        raise HTTPException(404, f"file {name!r} was not found")
    return _response(services, file_place(run_id, name), name)


def _response(services: Services, place: str, name: str) -> Response:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    disposition = "inline" if media_type in _SHOWN_TYPES else "attachment"
    response = services.bytes.response(place, media_type, name.rpartition("/")[2], disposition)
    if response is None:
        raise HTTPException(404, f"file {name!r} was not found")
    return response


_RUN_FILE = "/storage/{run_id:int}/{name:path}"
_BLOB = "/storage/blobs/{project_id:int}/{key}"
_MANIFEST = "/storage/manifests/{manifest_id:int}"
_ARTIFACT_FILE = "/artifactsV2/{region}/{entity}/{project}/{collection}/{birth}/{digest}/{name:path}"

STORAGE_ROUTES = [
    Route(_BLOB, _put_blob, methods=["PUT"]),
    Route(_BLOB + "/{name:path}", _get_signed_blob),
    Route(_MANIFEST, _put_manifest, methods=["PUT"]),
    Route(_MANIFEST, _get_signed_manifest),
    Route("/storage/exports/{run_id:int}/{rewrites:int}/{first:int}-{end:int}.runhistory.parquet", _get_export),
    Route("/storage/parts/{upload}/{number:int}", _put_part, methods=["PUT"]),
    Route(_RUN_FILE, _put_file, methods=["PUT"]),
    Route(_RUN_FILE, _get_signed_file),
    Route("/files/{entity}/{project}/{run}/{name:path}", _get_run_file),
    Route(_ARTIFACT_FILE, _get_artifact_file),
]
