import pytest

from pipeline.errors import ConnectError
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_address import file_address, live_address

PASSWORD = "p@ss/w:%#&?"


def address(monkeypatch, **fields):
    monkeypatch.setenv("CAM", f"admin:{PASSWORD}")
    config = SourceConfig(**{"url": "rtsp://camera.example:554/main?profile=1", "credentials": "cam"} | fields)
    return live_address("dock-03", config, Secrets({"cam": "${env:CAM}"}))


def test_credentials_are_quoted_into_the_target_alone(monkeypatch):
    found = address(monkeypatch)
    assert found.target == "rtsp://admin:p%40ss%2Fw%3A%25%23%26%3F@camera.example:554/main?profile=1"
    for text in (found.shown, repr(found), str(found.options)):
        assert "p%40ss" not in text
        assert "p@ss" not in text


def test_a_missing_secret_is_unauthorized_and_named(monkeypatch):
    monkeypatch.delenv("CAM", raising=False)
    config = SourceConfig(url="rtsp://camera.example/main", credentials="cam")
    with pytest.raises(ConnectError, match="CAM") as caught:
        live_address("dock-03", config, Secrets({"cam": "${env:CAM}"}))
    assert caught.value.code == "unauthorized"


def test_tls_is_verified_unless_there_is_nothing_to_verify_with(monkeypatch, tmp_path):
    ca_file = tmp_path / "ca.pem"
    with pytest.raises(ConnectError) as caught:
        address(monkeypatch, url="rtsps://camera.example/main", ca_file=str(ca_file))
    assert caught.value.code == "tls"
    ca_file.write_text("certificate")
    options = address(monkeypatch, url="rtsps://camera.example/main", ca_file=str(ca_file)).options
    assert options["tls_verify"] == "1"
    assert options["ca_file"] == str(ca_file)


def test_transport_is_an_option_of_rtsp_alone(monkeypatch):
    assert address(monkeypatch, transport="udp").options["rtsp_transport"] == "udp"
    assert "rtsp_transport" not in address(monkeypatch, url="http://camera.example/video").options


def test_a_file_with_a_colon_is_no_protocol():
    found = file_address("12:30.mp4")
    assert found.target == "file:12:30.mp4"
    assert found.scheme == ""
