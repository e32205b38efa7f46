"""The environment in which every part of a private Airflow runs."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def free_port() -> int:
    """Give a TCP port on the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def remembered(path: Path, fresh: Mapping[str, str]) -> dict[str, str]:
    """Give what ``path`` holds, after adding what it lacks of ``fresh``. Only the owner may read it."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    merged = {**fresh, **known}
    if merged != known:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(merged))
    return merged


def secrets_of(home: Path) -> dict[str, str]:
    """The keys that all parts must share; made once for each home, since a restart must read old tokens."""
    return remembered(
        home / "secrets.json",
        {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        },
    )


def environment(
    *,
    home: Path,
    dags_folder: Path,
    port: int,
    database_url: str,
    users: Mapping[str, str],
    stock_settings: bool,
    config: Mapping[str, str],
    env: Mapping[str, str],
) -> dict[str, str]:
    """
    Build the whole environment of a part; nothing of ours leaks in beside path, locale and certificates.

    :param users: user name → role (``admin``, ``op``, ``user``, ``viewer``).
    :param stock_settings: leave out what only makes tests quicker.
    :param config: ``AIRFLOW__SECTION__KEY`` values that win over ours.
    :param env: anything else that the parts need.
    """
    url = f"http://127.0.0.1:{port}"
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = [str(REPOSITORY), *filter(None, [env.get("PYTHONPATH")])]
    settings = {
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__PARALLELISM": "6",  # LocalExecutor forks that many at once
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks the name server
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{user}:{role}" for user, role in users.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",  # only loopback traffic
    }
    quicker = {} if stock_settings else {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.4"}
    own = {"AIRFLOW_HOME": str(home), "HOME": str(home), "PYTHONUNBUFFERED": "1", "TZ": "UTC"}
    proxies = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    merged = {**kept, **proxies, **own, **settings, **quicker, **secrets_of(home), **env, **config}
    return {**merged, "PYTHONPATH": ":".join(paths)}
