//! Some packets in a row, decoded by one thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use symphonia::core::{codecs::audio::AudioDecoder, packet::Packet};

use super::super::packet_outcome::{PacketOutcome, decode};

/// Samples that a batch holds at most, but for its last packet: what is left is decoded when its turn comes.
const MOST: usize = 1 << 21;

/// Packets, and what they hold.
#[derive(Default)]
pub(super) struct PacketChunk {
    /// Packets before it, which are only decoded so that the decoder gets going.
    pub lead: Vec<Packet>,
    pub packets: Vec<Packet>,
    pub decoder: Option<Box<dyn AudioDecoder>>,
    /// Of the packets that are decoded.
    pub outcomes: Vec<PacketOutcome>,
    /// Their samples, one packet's after the other's.
    pub samples: Vec<f32>,
    /// Whether the lead was understood, so that the outcomes may be right.
    pub is_led: bool,
}

impl PacketChunk {
    /// Makes it as good as new; its memory is kept.
    pub fn clear(&mut self) {
        self.lead.clear();
        self.packets.clear();
        self.forget();
    }

    /// As if nothing was decoded.
    pub fn forget(&mut self) {
        self.outcomes.clear();
        self.samples.clear();
        self.is_led = false;
    }

    fn decode(&mut self) {
        let Some(decoder) = &mut self.decoder else { return };
        if !self.lead.is_empty() {
            decoder.reset();
        }
        let lead = &self.lead;
        self.is_led = lead.iter().all(|packet| {
            self.samples.clear();
            decode(&mut **decoder, packet, &mut self.samples).is_well()
        });
        self.samples.clear();
        if !self.is_led {
            return;
        }
        for packet in &self.packets {
            self.outcomes.push(decode(&mut **decoder, packet, &mut self.samples));
            if self.samples.len() >= MOST {
                break;
            }
        }
    }
}

/// A thread that decodes batches, one after the other. It ends when this is dropped.
pub(super) struct Worker {
    jobs: Option<Sender<PacketChunk>>,
    done: Receiver<PacketChunk>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread; `None` where the system has none.
    pub fn start() -> Option<Self> {
        let (jobs, to_do) = channel();
        let (ready, done) = channel();
        let work = move || work(&to_do, &ready);
        let thread = thread::Builder::new().name("decode".into()).spawn(work).ok()?;
        Some(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }

    /// Gives it a batch; it comes back where the thread is gone.
    pub fn give(&self, batch: PacketChunk) -> Result<(), Box<PacketChunk>> {
        let Some(jobs) = &self.jobs else { return Err(Box::new(batch)) };
        jobs.send(batch).map_err(|lost| Box::new(lost.0))
    }

    /// Waits for the first of the batches that it was given and that were not taken.
    pub fn take(&self) -> Option<PacketChunk> {
        self.done.recv().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        // It is at the end of a batch within milliseconds. Its panics are caught.
        self.thread.take().map(JoinHandle::join);
    }
}

fn work(to_do: &Receiver<PacketChunk>, ready: &Sender<PacketChunk>) {
    for mut batch in to_do {
        // Who decodes the batch again, alone, meets the panic again, at its place.
        if catch_unwind(AssertUnwindSafe(|| batch.decode())).is_err() {
            batch.forget();
            batch.decoder = None;
        }
        if ready.send(batch).is_err() {
            return;
        }
    }
}
