//! Three participants on a network that loses, repeats and reorders; one of them ends and comes back
//! from its file. All end with the same logs.

mod diary;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use libsds as sds;
use sds::{Config, Event, Manager, Options};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const CHANNELS: [&str; 2] = ["garden", "kitchen"];
const ROUNDS: usize = 40;

/// xorshift64: the same losses in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a participant saw of a channel, in order: what it was delivered and what it said.
type Seen = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

struct Participant {
    name: &'static str,
    config: Config,
    network: mpsc::SyncSender<(&'static str, Vec<u8>)>,
    seen: Seen,
    manager: Manager,
}

impl Participant {
    fn open(
        name: &'static str,
        config: Config,
        network: mpsc::SyncSender<(&'static str, Vec<u8>)>,
        seen: Seen,
    ) -> Self {
        let (notes, transmit) = (seen.clone(), network.clone());
        let options = Options::new().participant_id(name).config(config.clone());
        let options = options.event_handler(move |manager, event| match event {
            Event::MessageReady { channel_id, message_id, content } => {
                assert_eq!(*content, *content_of(&message_id));
                notes.lock().unwrap().entry(channel_id.into()).or_default().push(message_id.into());
            }
            Event::RepairReady { payload, .. } | Event::ResendReady { payload, .. } => {
                transmit.send((name, payload.to_vec())).unwrap();
            }
            Event::PeriodicSync { channel_ids } => {
                for channel in channel_ids {
                    transmit.send((name, manager.wrap_sync(&channel).unwrap().to_vec())).unwrap();
                }
            }
            Event::DependenciesLost { .. } | Event::DeliveryFailed { .. } => panic!("{name}: {event:?}"),
            _ => {}
        });
        let manager = options.open().unwrap();
        Participant { name, config, network, seen, manager }
    }

    /// Ends it, and starts it again from its file.
    fn restart(self) -> Self {
        self.manager.close().unwrap();
        Self::open(self.name, self.config, self.network, self.seen)
    }

    fn say(&self, channel: &str, id: &str) {
        let payload = self.manager.wrap(channel, id, content_of(id)).unwrap();
        self.seen.lock().unwrap().entry(channel.into()).or_default().push(id.into());
        self.network.send((self.name, payload.to_vec())).unwrap();
    }

    fn log(&self, channel: &str) -> Vec<String> {
        let json = self.manager.inspect(channel).unwrap();
        let log = &json[json.find(r#""log":["#).expect("a log")..];
        let log = &log[..log.find(']').expect("its end")];
        let entries = log.split(r#""messageId":""#).skip(1);
        entries.map(|entry| entry.split('"').next().unwrap_or_default().to_string()).collect()
    }
}

fn content_of(id: &str) -> Vec<u8> {
    format!("what {id} says").into_bytes()
}

fn config(store: Option<PathBuf>) -> Config {
    let config = Config::new()
        .bloom_filter_capacity(1000)
        .repair_t_min(Duration::ZERO)
        .repair_t_max(Duration::from_secs(5)) // for so long it is asked for, too
        .max_causal_history(500) // all of it, so that each message waits for all that its sender had seen
        .repair_sweep_interval(Duration::from_millis(5))
        .sync_message_interval(Duration::from_millis(20))
        .buffer_sweep_interval(Duration::from_millis(50))
        .resend_interval(Duration::from_millis(200))
        .max_resend_attempts(1000)
        .missing_dependency_timeout(Duration::ZERO);
    match store {
        Some(path) => config.store_path(path),
        None => config,
    }
}

/// Lets time pass, and carries what is on its way.
fn pass(
    participants: &[Participant],
    arrivals: &mpsc::Receiver<(&'static str, Vec<u8>)>,
    dice: &mut Dice,
    losses: bool,
) {
    for participant in participants {
        participant.manager.tick(SystemTime::now()).unwrap();
    }
    let mut under_way: Vec<_> = arrivals.try_iter().collect();
    if losses {
        for at in (1..under_way.len()).rev() {
            under_way.swap(at, dice.below(at as u64 + 1) as usize);
        }
    }
    for (sender, payload) in under_way {
        for receiver in participants.iter().filter(|participant| participant.name != sender) {
            if losses && dice.below(100) < 30 {
                continue;
            }
            receiver.manager.unwrap(&payload).unwrap();
            if losses && dice.below(100) < 10 {
                receiver.manager.unwrap(&payload).unwrap();
            }
        }
    }
}

fn agreed(participants: &[Participant], said: usize) -> bool {
    CHANNELS.iter().all(|channel| {
        let logs: Vec<_> = participants.iter().map(|participant| participant.log(channel)).collect();
        let seen = |participant: &Participant| participant.seen.lock().unwrap()[*channel].len();
        logs.iter().all(|log| log.len() == said && *log == logs[0])
            && participants.iter().all(|p| seen(p) == said)
    })
}

fn converse(folder: &Path, seed: u64) {
    let mut dice = Dice(seed);
    let (network, arrivals) = mpsc::sync_channel(100_000);
    let mut participants: Vec<Participant> = Vec::new();
    for (at, name) in NAMES.into_iter().enumerate() {
        let store = (at == 1).then(|| folder.join("bob.sds"));
        participants.push(Participant::open(name, config(store), network.clone(), Seen::default()));
    }
    // What each had seen when it said something, which others have to see before that.
    let mut causes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for participant in &participants {
            for channel in CHANNELS {
                let id = format!("{}-{channel}-{round}", participant.name);
                let before = participant.seen.lock().unwrap().get(channel).cloned().unwrap_or_default();
                causes.insert(id.clone(), before);
                participant.say(channel, &id);
            }
        }
        pass(&participants, &arrivals, &mut dice, true);
        if round == ROUNDS / 2 {
            let bob = participants.remove(1).restart();
            participants.insert(1, bob);
        }
    }
    let began = Instant::now();
    while !agreed(&participants, ROUNDS * NAMES.len()) {
        assert!(began.elapsed() < Duration::from_secs(60), "the logs differ");
        pass(&participants, &arrivals, &mut dice, began.elapsed() < Duration::from_millis(500));
        thread::sleep(Duration::from_millis(2));
    }
    for participant in &participants {
        for channel in CHANNELS {
            let seen = participant.seen.lock().unwrap()[channel].clone();
            let mut already = BTreeSet::new();
            for id in &seen {
                assert!(causes[id].iter().all(|cause| already.contains(cause)), "{id} came too early");
                assert!(already.insert(id.clone()), "{id} came twice");
            }
        }
    }
    participants.iter().for_each(|participant| participant.manager.close().unwrap());
}

#[test]
fn three_participants_with_losses_and_a_restart_end_with_equal_logs() {
    converse(&diary::folder("network"), 0x9e37_79b9_7f4a_7c15);
}
