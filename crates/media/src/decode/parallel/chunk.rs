//! Consecutive packets that one thread decodes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use symphonia::core::codecs::audio::AudioDecoder;

use super::super::{
    packet_outcome::{PacketOutcome, decode},
    track_packets::TrackPacket,
};

/// The maximum of samples that a worker decodes of a chunk, but for its last packet. The rest is decoded when its turn
/// comes.
const MOST: usize = 1 << 21;

/// Packets, and their decoded samples.
#[derive(Default)]
pub(super) struct PacketChunk {
    /// The preroll: packets before the chunk that only bring the decoder into the right state.
    pub lead: Vec<TrackPacket>,
    pub packets: Vec<TrackPacket>,
    pub decoder: Option<Box<dyn AudioDecoder>>,
    /// One for each packet that is decoded.
    pub outcomes: Vec<PacketOutcome>,
    /// Their samples, packet after packet.
    pub samples: Vec<f32>,
    /// Whether the preroll decoded without an error, so that the outcomes may be right.
    pub is_led: bool,
}

impl PacketChunk {
    /// Empties it. Its memory is kept.
    pub fn clear(&mut self) {
        self.lead.clear();
        self.packets.clear();
        self.forget();
    }

    /// Discards what was decoded.
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
            decode(&mut **decoder, &packet.packet, &mut self.samples).is_decoded()
        });
        self.samples.clear();
        if !self.is_led {
            return;
        }
        for packet in &self.packets {
            self.outcomes.push(decode(&mut **decoder, &packet.packet, &mut self.samples));
            if self.samples.len() >= MOST {
                break;
            }
        }
    }
}

/// A thread that decodes chunks one after the other. It ends when this is dropped.
pub(super) struct Worker {
    jobs: Option<Sender<PacketChunk>>,
    done: Receiver<PacketChunk>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread; `None` if the system refuses one.
    pub fn start() -> Option<Self> {
        let (jobs, to_do) = channel();
        let (ready, done) = channel();
        let work = move || work(&to_do, &ready);
        let thread = thread::Builder::new().name("decode".into()).spawn(work).ok()?;
        Some(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }

    /// Queues a chunk.
    ///
    /// # Errors
    /// The chunk, if the thread has ended.
    pub fn give(&self, chunk: PacketChunk) -> Result<(), Box<PacketChunk>> {
        let Some(jobs) = &self.jobs else { return Err(Box::new(chunk)) };
        jobs.send(chunk).map_err(|lost| Box::new(lost.0))
    }

    /// Waits for the oldest queued chunk.
    pub fn take(&self) -> Option<PacketChunk> {
        self.done.recv().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        // The thread finishes its chunk within milliseconds. Its panics are caught.
        self.thread.take().map(JoinHandle::join);
    }
}

fn work(to_do: &Receiver<PacketChunk>, ready: &Sender<PacketChunk>) {
    for mut chunk in to_do {
        // The chunk is decoded again when its turn comes, and the panic is counted at that packet.
        if catch_unwind(AssertUnwindSafe(|| chunk.decode())).is_err() {
            chunk.forget();
            chunk.decoder = None;
        }
        if ready.send(chunk).is_err() {
            return;
        }
    }
}
