import base64
import hashlib

import pytest

from pipeline.local.rtsp_protocol import Authentication, Interleaved, MalformedRequest, Request, reply, take


def test_requests_and_packets_are_taken_whole_and_in_order():
    packet = Interleaved(2, b"rtp")
    setup = b"SETUP rtsp://host/cam/streamid=1 RTSP/1.0\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody"
    whole = packet.encode() + setup + packet.encode()
    buffer, taken = bytearray(), []
    for byte in whole:
        buffer.append(byte)
        found = take(buffer)
        if found is not None:
            taken.append(found)
    assert [type(each) for each in taken] == [Interleaved, Request, Interleaved]
    request = taken[1]
    assert (request.method, request.path, request.track, request.body) == ("SETUP", "cam", 1, b"body")
    assert taken[0] == taken[2] == packet
    assert not buffer


@pytest.mark.parametrize("text", [b"hello\r\n\r\n", b"GET / HTTP/1.1 x\r\n\r\n", b"A B C\r\nContent-Length: x\r\n\r\n"])
def test_other_protocols_are_malformed(text):
    with pytest.raises(MalformedRequest):
        take(bytearray(text))


def test_a_reply_repeats_headers_and_names_the_sequence():
    text = reply(Request("PLAY", "x", {"cseq": "7"}), 401, {"WWW-Authenticate": ["Digest a", "Basic b"]}).decode()
    assert text.startswith("RTSP/1.0 401 Unauthorized\r\nCSeq: 7\r\n")
    assert text.count("WWW-Authenticate: ") == 2


def asking(value):
    return Request("DESCRIBE", "rtsp://host/cam", {"authorization": value})


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_basic():
    gate = Authentication({"admin": "p:w"}, ("basic",))
    assert gate.admits(asking(basic("admin:p:w")))
    assert not gate.admits(asking(basic("admin:other")))
    assert not gate.admits(asking(basic("root:p:w")))
    assert not gate.admits(asking(""))
    assert not Authentication({"admin": "p:w"}, ("digest",)).admits(asking(basic("admin:p:w")))


def test_digest():
    gate = Authentication({"admin": "pw"})
    challenge = gate.challenge()["WWW-Authenticate"][0]
    nonce = challenge.split('nonce="')[1].rstrip('"')

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    def answer(password):
        asked = md5("DESCRIBE:rtsp://host/cam")
        response = md5(f"{md5(f'admin:dinostream:{password}')}:{nonce}:{asked}")
        fields = {"username": "admin", "nonce": nonce, "uri": "rtsp://host/cam", "response": response}
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())

    assert gate.admits(asking(answer("pw")))
    assert not gate.admits(asking(answer("other")))
    assert not gate.admits(asking(answer("pw").replace(nonce, "0" * 32)))


def test_without_users_everyone_may_read():
    assert Authentication({}).admits(asking(""))
