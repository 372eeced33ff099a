//! The shortest complete host: alice and bob on a network that loses a message. Bob notices and ends,
//! starts again from his file, asks for what is missing, and gets it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use std::{env, error, fs, process, thread};

use libsds as sds;

/// A payload on its way, and who sent it.
type Sent = (&'static str, Vec<u8>);

/// What alice knows to have arrived.
static CONFIRMED: AtomicUsize = AtomicUsize::new(0);

fn open(
    name: &'static str,
    config: sds::Config,
    network: mpsc::SyncSender<Sent>,
) -> sds::Result<sds::Manager> {
    let transmit = move |payload: &[u8]| {
        let _ = network.send((name, payload.to_vec()));
    };
    let on_event = move |manager: &sds::Manager, event: sds::Event<'_>| match event {
        sds::Event::MessageReady { message_id, content, .. } => {
            println!("{name:<5} hears {message_id}: {}", String::from_utf8_lossy(&content));
        }
        sds::Event::MissingDependencies { dependencies, .. } => {
            dependencies.iter().for_each(|missing| println!("{name:<5} lacks {}", missing.message_id));
        }
        sds::Event::RepairReady { message_id, payload, .. }
        | sds::Event::ResendReady { message_id, payload, .. } => {
            println!("{name:<5} sends {message_id} again");
            transmit(&payload);
        }
        sds::Event::PeriodicSync { channel_ids } => {
            for channel in channel_ids {
                match manager.wrap_sync(&channel) {
                    Ok(payload) => transmit(&payload),
                    Err(error) => eprintln!("{name}: {error}"),
                }
            }
        }
        sds::Event::MessageSent { message_id, .. } => {
            println!("{name:<5} knows that {message_id} has arrived");
            CONFIRMED.fetch_add(1, Ordering::Relaxed);
        }
        other => println!("{name:<5} is told {other:?}"),
    };
    sds::Options::new().participant_id(name).config(config).event_handler(on_event).open()
}

fn talk(file: &Path) -> Result<(), Box<dyn error::Error>> {
    // Intervals for people who watch; the defaults are for networks.
    let at_alice = sds::Config::new().repair_sweep_interval(Duration::from_millis(100));
    let at_bob = sds::Config::new()
        .store_path(file)
        .sync_message_interval(Duration::from_millis(100))
        .repair_t_min(Duration::ZERO)
        .repair_t_max(Duration::from_secs(1));
    let (network, arrivals) = mpsc::sync_channel(1000);
    let alice = open("alice", at_alice, network.clone())?;
    let bob = open("bob", at_bob.clone(), network.clone())?;

    for (id, text, lost) in
        [("m1", "The beans are up.", false), ("m2", "Frost tonight!", true), ("m3", "Cover them.", false)]
    {
        println!("alice says  {id}: {text}{}", if lost { " (but that is lost)" } else { "" });
        let payload = alice.wrap("garden", id, text)?;
        if !lost {
            bob.unwrap(&payload)?;
        }
    }

    println!("      (bob ends, and starts again from his file)");
    bob.close()?;
    let bob = open("bob", at_bob, network)?;

    let began = Instant::now();
    while CONFIRMED.load(Ordering::Relaxed) < 3 {
        if began.elapsed() > Duration::from_secs(60) {
            return Err("not everything arrived".into());
        }
        let next = alice.tick(SystemTime::now())?.min(bob.tick(SystemTime::now())?);
        for (sender, payload) in arrivals.try_iter() {
            if sender == "alice" { &bob } else { &alice }.unwrap(payload)?;
        }
        let wait = next.duration_since(SystemTime::now()).unwrap_or_default();
        thread::sleep(wait.min(Duration::from_millis(20))); // in a real host: poll the sockets
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let folder: PathBuf = env::temp_dir().join(format!("conversation-{}", process::id()));
    fs::create_dir(&folder)?;
    let result = talk(&folder.join("bob.sds"));
    fs::remove_dir_all(&folder)?;
    result
}
