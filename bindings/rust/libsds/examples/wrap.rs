//! Prints `wrap` and what a wrap takes, in nanoseconds: the median over rounds, with 1 KiB of content,
//! an id of 64 characters, a full log and two participants. As tests/bench/c/native.c, in C.

use std::time::Instant;

use libsds as sds;

const BATCH: usize = 200;
const ROUNDS: usize = 60;
const WARM_UP: usize = 10;

struct Ids(u64);

impl Iterator for Ids {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0 += 1;
        Some(format!("{:064}", self.0))
    }
}

fn participant(id: &str) -> sds::Result<sds::Manager> {
    // One peer is all there is to witness an acknowledgement.
    let config = sds::Config::new().possible_ack_threshold(1).max_outgoing_messages(1_000_000);
    sds::Options::new().participant_id(id).config(config).event_handler(|_, _| {}).open()
}

fn main() -> sds::Result<()> {
    let content: Vec<u8> = (0..1024).map(|at| at as u8).collect();
    let mut ids = Ids(0);
    let (alice, bob) = (participant("alice")?, participant("bob")?);
    // What a speaker says, a listener hears: both acknowledge what the other has.
    let tell = |speaker: &sds::Manager, listener: &sds::Manager, ids: &mut Ids| -> sds::Result<()> {
        let payload = speaker.wrap("channel", &ids.next().unwrap_or_default(), &content)?;
        listener.unwrap(&payload).map(drop)
    };

    for at in 0..1100 {
        tell(&alice, &bob, &mut ids)?;
        if at % 50 == 0 {
            tell(&bob, &alice, &mut ids)?;
        }
    }
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let batch: Vec<String> = ids.by_ref().take(BATCH).collect();
        let mut last = None;
        let began = Instant::now();
        for id in &batch {
            last = Some(alice.wrap("channel", id, &content)?);
        }
        if round >= WARM_UP {
            rounds.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
        }
        // Bob catches up with all but the last by his word, and tells.
        bob.mark_met("channel", &batch)?;
        if let Some(payload) = last {
            bob.unwrap(&payload)?;
        }
        tell(&bob, &alice, &mut ids)?;
        tell(&alice, &bob, &mut ids)?;
    }
    rounds.sort_by(f64::total_cmp);
    println!("wrap {:.3}", rounds[ROUNDS / 2]);
    Ok(())
}
