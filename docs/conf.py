"""The docs: Markdown, one page a subject, and reference pages made from the docstrings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("AIRFLOW_HOME", str(ROOT / "build" / "airflow-docs"))

import yaml  # noqa: E402

from cd_provider import __version__  # noqa: E402
from cd_provider.core.access import role, role_table  # noqa: E402
from cd_provider.core.gate_schema import judge_schema, promql_schema  # noqa: E402

project = "airflow-provider-cd"
author = "the airflow-provider-cd authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "substitution"]
myst_substitutions = {  # from the code, so that the page cannot lag behind it
    "role_table": role_table(),
    "judge_schema": f"```json\n{json.dumps(judge_schema(), indent=2)}\n```",
    "promql_schema": f"```json\n{json.dumps(promql_schema(), indent=2)}\n```",
    "role_yaml": f"```yaml\n{yaml.safe_dump(role('shop'), sort_keys=False)}```",
}
myst_heading_anchors = 3
exclude_patterns = ["_ext", "compose"]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
add_module_names = False
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(airflow|kubernetes_asyncio|httpx)\..*")]

html_theme = "furo"
html_title = "airflow-provider-cd"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
