#!/usr/bin/env python3
"""Sends a WAV file to `prepare-audio listen` as if it were spoken now, and prints what the server reports.

    pip install websockets
    python3 examples/live_client.py ws://127.0.0.1:8765/ws talk.wav [--speed 10]

When the connection is lost, it comes back and goes on. docs/live-protocol.md describes the messages.
"""
import argparse
import asyncio
import json
import time
import wave

import websockets

FRAME_S = 0.02


class Client:
    """One recording, over as many connections as it takes."""

    def __init__(self, url, path, speed):
        self.url, self.speed = url, speed
        with wave.open(path) as file:
            assert file.getsampwidth() == 2, "a WAV file of 16 bits is needed"
            self.rate, self.channels = file.getframerate(), file.getnchannels()
            self.audio = file.readframes(file.getnframes())
        self.name, self.token, self.last_event, self.ended = path, None, 0, None

    async def run(self):
        delay = 0.5
        while self.ended is None:
            try:
                async with websockets.connect(self.url) as socket:
                    await self.talk(socket)
                delay = 0.5
            except (OSError, websockets.WebSocketException) as error:
                print(f"connection lost ({error}); again in {delay} s", flush=True)
                await asyncio.sleep(delay)
                delay = min(2 * delay, 30)

    async def talk(self, socket):
        if self.token is None:
            first = {"type": "hello", "audio_id": self.name, "sample_rate": self.rate, "channels": self.channels}
        else:
            first = {"type": "resume", "resume_token": self.token, "last_event": self.last_event}
        await socket.send(json.dumps(first))
        answer = json.loads(await socket.recv())
        if answer["type"] == "error":
            raise SystemExit(answer["message"])
        self.token = answer.get("resume_token", self.token)
        sending = asyncio.create_task(self.send(socket, answer["next_sample"]))
        try:
            async for message in socket:
                self.receive(json.loads(message))
        finally:
            sending.cancel()

    async def send(self, socket, next_sample):
        """Sends frames at the times at which a microphone would have them."""
        block = 2 * self.channels
        start, begun = next_sample * block, time.monotonic()
        frame = int(self.rate * FRAME_S) * block
        for n, at in enumerate(range(start, len(self.audio), frame)):
            await asyncio.sleep(begun + n * FRAME_S / self.speed - time.monotonic())
            await socket.send(self.audio[at : at + frame])
        await socket.send(json.dumps({"type": "end"}))

    def receive(self, message):
        self.last_event = message.get("event", self.last_event)
        if message["type"] != "ack":
            print(json.dumps(message), flush=True)
        if message["type"] == "ended":
            self.ended = message


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("wav")
    parser.add_argument("--speed", type=float, default=1, help="times as fast as it was spoken")
    arguments = parser.parse_args()
    asyncio.run(Client(arguments.url, arguments.wav, arguments.speed).run())
