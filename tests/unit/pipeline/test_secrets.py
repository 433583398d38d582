import base64
import random
import re
import string
from urllib.parse import quote, quote_plus

import pytest

from pipeline import secrets
from pipeline.secrets import MASK, Secrets, redact, redact_url, register

S = "hunTer2pw"


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(secrets, "_literals", set())
    monkeypatch.setattr(secrets, "_pattern", None)


# The shapes of real cameras' addresses on which redaction by pattern is known to leak.
SHAPES = [
    "rtsp://admin:{}@10.0.0.5/stream1",
    "rtsp://john.doe:{}@10.0.0.5/stream1",
    "rtsp://john%40corp:{}@10.0.0.5/stream1",
    "rtsp://admin:{}@10.0.0.5:554/live?user=admin&password={}",
    "rtsp://10.0.0.5/live?user=admin&password={}",
    "rtsp://10.0.0.5/live?username=admin&pwd={}",
    "rtsp://10.0.0.5/live?password={}&user=admin",
    "http://10.0.0.5/snap.jpg?token={}",
    "rtsp://:{}@10.0.0.5/stream1",
    "rtsp://10.0.0.5:554/user=admin_password={}_channel=1_stream=0.sdp?real_stream",
]
PASSWORDS = [S, f"{S}/x{S}", f"a@{S}", f"a@b/{S}@c", f"{S}:{S}", f"{S}%2f{S}", f"{S}#{S}", f"{S}?{S}", f"{S}&a={S}"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_addresses_are_clean_by_their_structure_alone(shape, password):
    url = shape.replace("{}", password)
    for text in (redact_url(url), redact(url), redact(f"could not open '{url}', giving up"), redact(repr({"u": url}))):
        assert S not in text
        assert text.count("rtsp://") + text.count("http://") == 1


def test_what_is_no_secret_stays_readable():
    assert redact_url("rtsp://admin:pw@10.0.0.5:554/a/b?x=1#f") == f"rtsp://{MASK}@10.0.0.5:554/a/b?{MASK}"
    for text in (
        "rtsp://10.0.0.5:554/a/b",
        "redis://localhost:6379/0",
        "rtsp://[fe80::1]:554/x",
        "camera dock-03 uses view/dock-03@12 and vehicles@7",
        "12:30:05 dock-03: 2.9 m (limit 3.0)",
        "$.cameras.dock-03.source.credentials: unknown secret: expected the name of one under `secrets:` (cam_site)",
        "see https://example.org/a/b.",
        "unix:///run/redis.sock",
        "secret 'kafka_password': file /run/secrets/kafka is not there",
    ):
        assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp:\\/\\/admin:{S}@10.0.0.5\\/x",
        f"url=rtsp%3A%2F%2Fadmin%3A{S}%40host",
        f"admin:{S}@10.0.0.5:554 refused",
        f"admin:{S}@cam.lan refused",
        f"{{'sasl_plain_password': '{S}'}}",
        f'{{"password": "{S}"}}',
        f"sasl.password={S};",
        f"rtsp://admin:{S}@10.0.0.5 and redis://:{S}@localhost:6379/0",
        f"kafka://u:{S}@a:9092,u:{S}@b:9092",
    ],
)
def test_other_places_where_credentials_turn_up(text):
    assert S not in redact(text)


def test_a_registered_value_is_masked_wherever_and_however_it_is_written():
    password = f'p@ss/"{S}é&+ %'
    register(f"operator:{password}")
    forms = [password, quote(password), quote_plus(password), quote(password, safe=""), repr(password)[1:-1]]
    forms += [
        re.sub(r"%..", lambda found: found[0].lower(), quote(password, safe="")),
        base64.b64encode(f"operator:{password}".encode()).decode(),
    ]
    for form in forms:
        assert redact(f"failed ({form}) here") == f"failed ({MASK}) here"
        assert form not in redact(f"rtsp://10.0.0.5/{form}/stream")


def test_a_user_name_alone_is_no_secret():
    register("cam:hunTer2pw")
    assert redact("camera cam-1 is live") == "camera cam-1 is live"


def test_ten_thousand_made_up_addresses_leak_nothing():
    rng = random.Random(7)
    alphabet = string.ascii_letters + string.digits + "@/:%&#?=+-_.~!$*(),;[]{}|^\\é"
    leaks = []
    for number in range(10_000):
        canary = f"zQ{number:05d}Xk"
        junk = "".join(rng.choices(alphabet, k=rng.randrange(8)))
        password = "".join(rng.sample([canary, junk, rng.choice(["", "p", "@", "/"])], 3))
        user = rng.choice(["", "admin", "john.doe", "a%40b", "x y".replace(" ", "+")])
        host = rng.choice(["10.0.0.5", "cam.lan:554", "[fe80::2]:554", "dock-03"])
        path = "/".join("".join(rng.choices(string.ascii_lowercase, k=4)) for _ in range(rng.randrange(4)))
        shapes = [
            f"{user}:{password}@{host}/{path}",
            f"{host}/{path}?{rng.choice(['password', 'pwd', 'token', 'k'])}={quote(password)}&x=1",
            f"{host}/user={user}_password={quote(password, safe='')}_channel=1.sdp",
            f"{user}:{password}@{host}/{path}?key={quote(password)}#frag",
        ]
        url = f"{rng.choice(['rtsp', 'rtsps', 'http', 'https', 'redis'])}://{rng.choice(shapes)}"
        leaks += [url for text in (redact_url(url), redact(f"open {url}: failed")) if canary in text]
    assert leaks == []


def test_a_secret_in_the_path_is_found_once_it_is_registered():
    rng = random.Random(3)
    for number in range(40):
        canary = f"zQ{number:05d}Xk" + "".join(rng.choices("@/:%&#?=+~! ", k=rng.randrange(4)))
        register(f"u:{canary}")
        for text in (f"rtsp://10.0.0.5/{canary}/ch1", f"rtsp://10.0.0.5/{quote(canary)}/ch1", f"said {canary!r}"):
            assert canary[:9] not in redact(text)
            assert canary[:9] not in redact_url(text)


def test_secrets_are_resolved_where_they_are_used_and_then_masked(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCK_LOGIN", "operator:hunTer2pw")
    place = tmp_path / "kafka"
    place.write_text("s3cretpw\n")
    found = Secrets({"dock": "${env:DOCK_LOGIN}", "kafka": f"${{file:{place}}}", "gone": "${env:NOT_THERE_1}"})
    assert redact("hunTer2pw") == "hunTer2pw"
    assert found.resolve("dock") == "operator:hunTer2pw"
    assert found.resolve("kafka") == "s3cretpw"
    assert redact("hunTer2pw s3cretpw") == f"{MASK} {MASK}"
    with pytest.raises(KeyError, match="'gone': environment variable NOT_THERE_1 is not there"):
        found.resolve("gone")
    with pytest.raises(KeyError, match=r"unknown secret 'dok'.*did you mean 'dock'"):
        found.resolve("dok")
    assert "hunTer2pw" not in repr(found)
