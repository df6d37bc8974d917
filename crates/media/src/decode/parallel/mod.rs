//! One recording decoded by several threads, to the same bits as by one.
//!
//! One reader reads the packets and deals them out in batches. A thread begins its batch some packets before it, so that
//! its decoder is where the one before will be at its end. Where that cannot be relied upon, because a packet there
//! did not decode, the batch is decoded again by the decoder that was through with the batch before.

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

/// Samples that a batch is to hold: so many that the packets before it cost little, so few that they are small beside the
/// memory of a worker.
const SAMPLES: usize = 1 << 19;

/// More than any codec's packets hold, until it is known.
const FIRST_GUESS: usize = 1 << 13;

/// Packets and bytes that a batch holds at most.
const MOST_PACKETS: usize = if cfg!(test) { 12 } else { 256 };
const MOST_BYTES: usize = 1 << 20;

/// Batches for each thread: one that it decodes, and one that waits for it or is being heard.
const EACH: usize = 2;

/// Makes decoders for the recording.
pub(super) type Make = Box<dyn Fn() -> Option<Box<dyn AudioDecoder>> + Send + Sync>;

/// A packet's time, and what became of it.
pub(super) type Decoded = (PacketTime, PacketOutcome);

/// Threads that decode one stream, and what they have decoded.
pub(super) struct ParallelDecoder {
    preroll: Preroll,
    make: Make,
    threads: usize,
    workers: Vec<Worker>,
    /// Whose turn it is.
    turn: usize,
    /// Batches that were dealt out, in order.
    ahead: VecDeque<Place>,
    filling: PacketChunk,
    /// Bytes in it.
    filled: usize,
    /// What the packets said at its end.
    end: Option<Result<(), SymphoniaError>>,
    /// The batch that is being heard, how many of its packets and samples were, and those of the latest.
    heard: PacketChunk,
    at: usize,
    from: usize,
    latest: std::ops::Range<usize>,
    /// Where the decoder was that decoded each packet before.
    exact: Box<dyn AudioDecoder>,
    /// How many packets in a row decoded well, to the latest.
    well: usize,
    /// Samples in the largest packet so far.
    largest: usize,
    spare_decoders: Vec<Box<dyn AudioDecoder>>,
    spare_batches: Vec<PacketChunk>,
}

/// Where a batch is.
enum Place {
    /// With the worker of this number.
    Away(usize),
    /// Nobody decodes it before its turn.
    Here(Box<PacketChunk>),
}

impl ParallelDecoder {
    /// The stream that `decoder` was made for and has decoded nothing of yet, on so many threads.
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
            heard: PacketChunk::default(),
            at: 0,
            from: 0,
            latest: 0..0,
            exact: decoder,
            well: 0,
            largest: 0,
            spare_decoders: Vec::new(),
            spare_batches: Vec::new(),
        }
    }

    /// The next packet of `packets`, decoded.
    pub fn next(&mut self, packets: &mut TrackPackets) -> Result<Option<Decoded>, SymphoniaError> {
        loop {
            if let Some(decoded) = self.next_of_batch() {
                return Ok(Some(decoded));
            }
            self.deal(packets);
            match self.ahead.pop_front() {
                Some(place) => self.hear(place)?,
                None => return self.end.take().unwrap_or(Ok(())).map(|()| None),
            }
        }
    }

    /// The samples of the latest packet.
    pub fn samples(&self) -> &[f32] {
        &self.heard.samples[self.latest.clone()]
    }

    fn next_of_batch(&mut self) -> Option<Decoded> {
        let packet = self.heard.packets.get(self.at)?;
        let time = time_of(packet);
        let outcome = match self.heard.outcomes.get_mut(self.at) {
            Some(outcome) => std::mem::replace(outcome, PacketOutcome::Damaged),
            None => {
                // Alone, and one at a time.
                self.heard.samples.clear();
                self.from = 0;
                decode(&mut *self.exact, packet, &mut self.heard.samples)
            }
        };
        self.at += 1;
        self.well = if outcome.is_well() { self.well + 1 } else { 0 };
        self.latest = self.from..self.from;
        if let PacketOutcome::Samples { len, .. } = outcome {
            self.latest.end += len;
            self.largest = self.largest.max(len);
        }
        self.from = self.latest.end;
        Some((time, outcome))
    }

    /// Keeps the threads busy.
    fn deal(&mut self, packets: &mut TrackPackets) {
        while self.end.is_none() && self.ahead.len() < EACH * self.threads {
            match packets.next() {
                Ok(Some(packet)) => {
                    self.filled += packet.data.len();
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

    /// Gives the batch that was filled to a worker, and begins another.
    fn send(&mut self) {
        if self.filling.packets.is_empty() {
            return;
        }
        let next = self.spare_batches.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.filling, next);
        self.filled = 0;
        if let Some(len) = self.preroll.len(&batch.packets) {
            self.filling.is_led = true;
            self.filling.lead.extend_from_slice(&batch.packets[batch.packets.len() - len..]);
        }
        let place = self.place(batch);
        self.ahead.push_back(place);
    }

    fn place(&mut self, mut batch: PacketChunk) -> Place {
        let is_short = self.workers.is_empty() && self.end.is_some();
        if is_short || !batch.is_led {
            return Place::Here(Box::new(batch));
        }
        if self.workers.len() < self.threads {
            self.workers.extend(Worker::start());
        }
        batch.decoder = self.spare_decoders.pop().or_else(|| (self.make)());
        if self.workers.is_empty() || batch.decoder.is_none() {
            return Place::Here(Box::new(batch));
        }
        self.turn = (self.turn + 1) % self.workers.len();
        match self.workers[self.turn].give(batch) {
            Ok(()) => Place::Away(self.turn),
            Err(batch) => Place::Here(batch),
        }
    }

    /// Turns to the next batch.
    fn hear(&mut self, place: Place) -> Result<(), SymphoniaError> {
        let mut batch = match place {
            Place::Here(batch) => *batch,
            Place::Away(worker) => self.workers[worker].take().ok_or_else(gone)?,
        };
        let is_exact = batch.is_led && self.well >= batch.lead.len();
        match batch.decoder.take() {
            Some(decoder) if is_exact => self.spare_decoders.push(std::mem::replace(&mut self.exact, decoder)),
            // Who knows what the decoder met.
            _ => batch.forget(),
        }
        let mut done = std::mem::replace(&mut self.heard, batch);
        done.clear();
        self.spare_batches.push(done);
        (self.at, self.from, self.latest) = (0, 0, 0..0);
        Ok(())
    }
}

fn gone() -> SymphoniaError {
    SymphoniaError::IoError(io::Error::other("a decoding thread is gone"))
}

#[cfg(test)]
mod tests;
