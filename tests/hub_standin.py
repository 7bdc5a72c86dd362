"""A model hub on this machine: of the real one's HTTP API the calls that pushing and pulling make."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Files = dict[str, bytes]


class Hub:
    """Repositories by name, each a list of commits, the newest last."""

    def __init__(self) -> None:
        self.repositories: dict[str, list[tuple[str, Files]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.created: list[dict[str, Any]] = []
        self.agents: set[str] = set()
        self.refuses = ""
        """What is said of every request; nothing lets them pass."""
        self.serves: Callable[[str, bytes], bytes] = lambda name, content: content
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def commit(self, repository: str, added: Files) -> str:
        commits = self.repositories[repository]
        files = (commits[-1][1] if commits else {}) | added
        digest = hashlib.sha1(repr((len(commits), sorted(files.items()))).encode()).hexdigest()
        commits.append((digest, files))
        return digest

    def at(self, repository: str, revision: str) -> tuple[str, Files] | None:
        commits = self.repositories[repository]
        found = [commit for commit in commits if commit[0] == revision]
        return commits[-1] if revision == "main" and commits else found[0] if found else None

    def _handler(hub) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self, content: Any, status: int = 200, **headers: str) -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def missing(self, what: str) -> None:
                self.answer({"error": what}, 404, X_Error_Code=what, X_Error_Message=what)

            def do_POST(self) -> None:
                hub.note(self)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                hub.post(self, urlsplit(self.path).path, body)

            def do_GET(self) -> None:
                hub.note(self)
                hub.get(self, urlsplit(self.path).path)

            do_HEAD = do_GET

        return Handler

    def note(self, request: Any) -> None:
        self.asked.append((request.command, urlsplit(request.path).path))
        self.agents.add(request.headers.get("User-Agent", ""))

    def post(self, request: Any, path: str, body: bytes) -> None:
        if self.refuses:
            request.answer({"error": self.refuses}, 403)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            there = name in self.repositories
            self.repositories.setdefault(name, [])
            self.created.append(asked)
            request.answer({"url": f"{self.address}/{name}"}, 409 if there else 200)
        elif path == "/api/validate-yaml":
            other = b"license: other" in body
            request.answer({"errors": [], "warnings": [{"message": "license_name is missing"}] if other else []})
        elif found := re.fullmatch(r"/api/models/(.+/.+)/preupload/main", path):
            files = [file["path"] for file in json.loads(body)["files"]]
            request.answer(
                {"files": [{"path": file, "uploadMode": "regular", "shouldIgnore": False} for file in files]}
            )
        elif found := re.fullmatch(r"/api/models/(.+/.+)/commit/main", path):
            parts = [json.loads(line) for line in body.splitlines()]
            added = {
                part["value"]["path"]: base64.b64decode(part["value"]["content"])
                for part in parts
                if part["key"] == "file"
            }
            digest = self.commit(found[1], added)
            request.answer(
                {"success": True, "commitOid": digest, "commitUrl": f"{self.address}/{found[1]}/commit/{digest}"}
            )
        else:
            request.missing("EntryNotFound")

    def get(self, request: Any, path: str) -> None:
        asked = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        wanted = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = asked[1] if asked else wanted[1] if wanted else ""
        if repository not in self.repositories:
            return request.missing("RepoNotFound")
        found = self.at(repository, (asked or wanted)[2] or "main")
        if found is None:
            return request.missing("RevisionNotFound")
        digest, files = found
        if asked:
            siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
            return request.answer({"id": repository, "modelId": repository, "sha": digest, "siblings": siblings})
        if wanted[3] not in files:
            return request.missing("EntryNotFound")
        content = self.serves(wanted[3], files[wanted[3]])
        etag = hashlib.sha1(content).hexdigest()
        return request.answer(content, ETag=f'"{etag}"', X_Repo_Commit=digest)
