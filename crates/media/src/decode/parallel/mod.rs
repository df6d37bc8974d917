//! Decodes one recording on several threads, with the same samples, bit for bit, as on one.
//!
//! One reader splits the packets into chunks. A thread decodes some packets before its chunk (the preroll), so that its
//! decoder has the same state as the one that decoded the previous chunk. Where that is not certain, because a packet of the
//! preroll did not decode, the chunk is decoded again by the decoder of the previous chunk.

mod chunk;
mod preroll;

use std::{collections::VecDeque, io};

use symphonia::core::{codecs::audio::AudioDecoder, errors::Error as SymphoniaError};

use self::chunk::{PacketChunk, Worker};
pub(super) use self::preroll::Preroll;
use super::{
    packet_outcome::{PacketOutcome, decode, time_of},
    sample_clock::PacketTime,
    track_packets::TrackPackets,
};

/// The target of samples in a chunk: enough that the preroll costs little, few enough that memory stays small.
const SAMPLES: usize = 1 << 19;

/// An upper limit of samples in a packet, until the first is decoded.
const FIRST_GUESS: usize = 1 << 13;

/// The maximum of packets and bytes in a chunk.
const MOST_PACKETS: usize = if cfg!(test) { 12 } else { 256 };
const MOST_BYTES: usize = 1 << 20;

/// Chunks for each thread: one that it decodes, and one that is queued or being read.
const EACH: usize = 2;

/// Creates decoders for the recording.
pub(super) type Make = Box<dyn Fn() -> Option<Box<dyn AudioDecoder>> + Send + Sync>;

/// A packet's time, and the outcome of decoding it.
pub(super) type Decoded = (PacketTime, PacketOutcome);

/// Threads that decode one stream, and their results in order.
pub(super) struct ParallelDecoder {
    preroll: Preroll,
    make: Make,
    threads: usize,
    workers: Vec<Worker>,
    /// The worker that got the latest chunk.
    turn: usize,
    /// The chunks that were handed out, in order.
    ahead: VecDeque<Place>,
    filling: PacketChunk,
    /// Bytes in `filling`.
    filled: usize,
    /// How the packets ended, after the chunks in `ahead`.
    end: Option<Result<(), SymphoniaError>>,
    /// The chunk that is being read, how many of its packets and samples were, and the samples of the latest packet.
    current: PacketChunk,
    at: usize,
    from: usize,
    latest: std::ops::Range<usize>,
    /// A decoder in the state after all packets so far.
    exact: Box<dyn AudioDecoder>,
    /// The number of consecutive packets, up to the latest, that decoded without an error.
    well: usize,
    /// Samples in the largest packet so far.
    largest: usize,
    spare_decoders: Vec<Box<dyn AudioDecoder>>,
    spare_chunks: Vec<PacketChunk>,
}

/// Where a chunk is.
enum Place {
    /// At the worker of this number.
    Away(usize),
    /// Here; it is decoded when its turn comes.
    Here(Box<PacketChunk>),
}

impl ParallelDecoder {
    /// Decodes the stream for which `decoder` was created on `threads` threads. The decoder must not have decoded anything.
    pub fn new(decoder: Box<dyn AudioDecoder>, preroll: Preroll, threads: usize, make: Make) -> Self {
        Self {
            preroll,
            make,
            threads,
            workers: Vec::new(),
            turn: 0,
            ahead: VecDeque::new(),
            filling: PacketChunk { is_led: true, ..PacketChunk::default() },
            filled: 0,
            end: None,
            current: PacketChunk::default(),
            at: 0,
            from: 0,
            latest: 0..0,
            exact: decoder,
            well: 0,
            largest: 0,
            spare_decoders: Vec::new(),
            spare_chunks: Vec::new(),
        }
    }

    /// The next packet of `packets`, decoded.
    pub fn next(&mut self, packets: &mut TrackPackets) -> Result<Option<Decoded>, SymphoniaError> {
        loop {
            if let Some(decoded) = self.next_of_chunk() {
                return Ok(Some(decoded));
            }
            self.distribute(packets);
            match self.ahead.pop_front() {
                Some(place) => self.begin(place)?,
                None => return self.end.take().unwrap_or(Ok(())).map(|()| None),
            }
        }
    }

    /// The samples of the latest packet.
    pub fn samples(&self) -> &[f32] {
        &self.current.samples[self.latest.clone()]
    }

    fn next_of_chunk(&mut self) -> Option<Decoded> {
        let packet = self.current.packets.get(self.at)?;
        let time = time_of(packet);
        let outcome = match self.current.outcomes.get_mut(self.at) {
            Some(outcome) => std::mem::replace(outcome, PacketOutcome::Damaged),
            None => {
                // Not decoded by a worker.
                self.current.samples.clear();
                self.from = 0;
                decode(&mut *self.exact, &packet.packet, &mut self.current.samples)
            }
        };
        self.at += 1;
        self.well = if outcome.is_decoded() { self.well + 1 } else { 0 };
        self.latest = self.from..self.from;
        if let PacketOutcome::Samples { len, .. } = outcome {
            self.latest.end += len;
            self.largest = self.largest.max(len);
        }
        self.from = self.latest.end;
        Some((time, outcome))
    }

    /// Reads packets and hands out chunks until every thread has enough of them.
    fn distribute(&mut self, packets: &mut TrackPackets) {
        while self.end.is_none() && self.ahead.len() < EACH * self.threads {
            match packets.next() {
                Ok(Some(packet)) => {
                    self.filled += packet.packet.data.len();
                    self.filling.packets.push(packet);
                    if self.is_full() {
                        self.send();
                    }
                }
                other => {
                    self.end = Some(other.map(|_| ()));
                    self.send();
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        let largest = if self.largest == 0 { FIRST_GUESS } else { self.largest };
        let packets = self.filling.packets.len();
        packets >= (SAMPLES / largest).clamp(1, MOST_PACKETS) || self.filled >= MOST_BYTES
    }

    /// Hands the filled chunk to a worker, and begins another.
    fn send(&mut self) {
        if self.filling.packets.is_empty() {
            return;
        }
        let next = self.spare_chunks.pop().unwrap_or_default();
        let chunk = std::mem::replace(&mut self.filling, next);
        self.filled = 0;
        if let Some(len) = self.preroll.len(&chunk.packets) {
            self.filling.is_led = true;
            self.filling.lead.extend_from_slice(&chunk.packets[chunk.packets.len() - len..]);
        }
        let place = self.place(chunk);
        self.ahead.push_back(place);
    }

    fn place(&mut self, mut chunk: PacketChunk) -> Place {
        let is_short = self.workers.is_empty() && self.end.is_some();
        if is_short || !chunk.is_led {
            return Place::Here(Box::new(chunk));
        }
        if self.workers.len() < self.threads {
            self.workers.extend(Worker::start());
        }
        chunk.decoder = self.spare_decoders.pop().or_else(|| (self.make)());
        if self.workers.is_empty() || chunk.decoder.is_none() {
            return Place::Here(Box::new(chunk));
        }
        self.turn = (self.turn + 1) % self.workers.len();
        match self.workers[self.turn].give(chunk) {
            Ok(()) => Place::Away(self.turn),
            Err(chunk) => Place::Here(chunk),
        }
    }

    /// Begins to read the next chunk.
    fn begin(&mut self, place: Place) -> Result<(), SymphoniaError> {
        let mut chunk = match place {
            Place::Here(chunk) => *chunk,
            Place::Away(worker) => self.workers[worker].take().ok_or_else(thread_ended)?,
        };
        let is_exact = chunk.is_led && self.well >= chunk.lead.len();
        match chunk.decoder.take() {
            Some(decoder) if is_exact => self.spare_decoders.push(std::mem::replace(&mut self.exact, decoder)),
            // The decoder's state may differ.
            _ => chunk.forget(),
        }
        let mut done = std::mem::replace(&mut self.current, chunk);
        done.clear();
        self.spare_chunks.push(done);
        (self.at, self.from, self.latest) = (0, 0, 0..0);
        Ok(())
    }
}

fn thread_ended() -> SymphoniaError {
    SymphoniaError::IoError(io::Error::other("a decoding thread has ended"))
}

#[cfg(test)]
mod tests;
