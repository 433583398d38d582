"""The file of a site whose events go to Redis and that is asked over HTTP: what the documents of these tests share."""

from __future__ import annotations


def site_file(
    name: str, cameras: str, runtime: str = "", *, weights: str = "random", shape: tuple[int, int] = (56, 98)
) -> str:
    """A document to be formatted with `redis`, `prefix`, `ray` and `state`, and with what the parts name besides.

    Args:
        name: Of the site.
        cameras: `cameras:`, with `heads:` and `defaults:` where wanted.
        runtime: Lines of `runtime:` besides the usual ones, indented by two.
        weights: Of the model.
        shape: (height, width) of it.
    """
    return f"""
version: 1
site: {{{{name: {name}, timezone: UTC}}}}
secrets: {{{{token: "${{{{env:CONTROL_TOKEN}}}}"}}}}
model: {{{{backbone: dinov2_vits14, weights: {weights}, shapes: [{shape[0]}x{shape[1]}]}}}}
{cameras.strip()}
sinks:
  redis: {{{{url: "{{redis}}", prefix: {{prefix}}}}}}
runtime:
  ray: "{{ray}}"
  state_dir: {{state}}
  admission: degrade
  http: {{{{bind: "127.0.0.1:0", token: token}}}}
{runtime.strip(chr(10))}
"""
