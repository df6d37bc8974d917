"""Clients of `listen` that use Python's websockets: the example, messages without a hello, signed frames, TLS. See live.sh."""
import asyncio
import base64
import hmac
import json
import pathlib
import ssl
import struct
import subprocess
import sys
import tempfile
import wave

import websockets

PROGRAM = sys.argv[1]
REPO = pathlib.Path(__file__).resolve().parent.parent
SPEECH = REPO / "fixtures/speech/pauses.wav"
EXPECTED = json.loads((REPO / "fixtures/expected/segments.json").read_text())
SPANS = EXPECTED["files"]["speech/pauses.wav"]["segments"]["defaults"]


def audio():
    with wave.open(str(SPEECH)) as file:
        return file.readframes(file.getnframes())


def stored(path):
    with wave.open(path) as file:
        return file.readframes(file.getnframes())


class Listen:
    """A running server in a folder."""

    def __init__(self, folder, *arguments):
        command = [PROGRAM, "listen", "--quiet", "--json", "--bind", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(30) == 0


def spans(messages):
    ended = [message for message in messages if message["type"] == "speech_ended"]
    return [[message["start_sample"], message["end_sample"]] for message in ended]


async def finish(socket):
    """Ends the recording; returns all messages."""
    await socket.send(json.dumps({"type": "end"}))
    return [json.loads(message) async for message in socket]


def check(name, messages):
    assert spans(messages) == SPANS, f"{name}: {spans(messages)}"
    assert stored(messages[-1]["recording"]) == audio(), name
    print(f"{name}: {len(SPANS)} segments, all samples")


def example(url):
    """The example prints the events; it sends at 20 times the speed."""
    command = [sys.executable, REPO / "examples/live_client.py", url, SPEECH, "--speed", "20"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    check("examples/live_client.py", [json.loads(line) for line in lines])


async def without_hello(url):
    async with websockets.connect(url) as socket:
        data = audio()
        for at in range(0, len(data), 3200):
            content = base64.b64encode(data[at : at + 3200]).decode()
            await socket.send(json.dumps({"audio_id": "7", "content": content}))
        check("JSON without hello", await finish(socket))


async def signed(url, **connect):
    def part(data):
        return struct.pack(">I", len(data)) + data

    async with websockets.connect(url, **connect) as socket:
        await socket.send(json.dumps({"type": "hello", "audio_id": "call 7", "frames": "signed"}))
        welcome = json.loads(await socket.recv())
        key, data = base64.b64decode(welcome["session_key"]), audio()
        for at in range(0, len(data), 640):
            number, frame = struct.pack(">Q", at // 2), data[at : at + 640]
            message = b"prepare-audio live frame 1" + part(welcome["session"].encode()) + part(b"call 7")
            mac = hmac.digest(key, message + number + part(frame), "sha256")
            await socket.send(number + mac + frame)
        check("signed frames over TLS" if connect else "signed frames", await finish(socket))


def certificate(folder):
    """A certificate of this machine that signed itself."""
    arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *arguments.split(), "-keyout", "server.key", "-out", "server.crt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main():
    with tempfile.TemporaryDirectory() as folder, Listen(folder) as listen:
        example(listen.url)
        asyncio.run(without_hello(listen.url))
        asyncio.run(signed(listen.url))
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder)
        with Listen(folder, "--tls-cert", "server.crt", "--tls-key", "server.key") as listen:
            assert listen.url.startswith("wss://"), listen.url
            trusted = ssl.create_default_context(cafile=f"{folder}/server.crt")
            asyncio.run(signed(listen.url, ssl=trusted))
            # A certificate that is replaced is used by new connections.
            old = pathlib.Path(folder, "server.crt").read_text()
            certificate(folder)
            assert pathlib.Path(folder, "server.crt").read_text() != old
            asyncio.run(replaced(listen.url, ssl.create_default_context(cafile=f"{folder}/server.crt")))


async def replaced(url, trusted):
    for _ in range(30):
        try:
            await signed(url, ssl=trusted)
            return
        except ssl.SSLCertVerificationError:
            await asyncio.sleep(0.5)
    raise AssertionError("the new certificate is not used")


main()
