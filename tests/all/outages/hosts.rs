//! Several machines with one PostgreSQL server, one of which loses its network connection.
//!
//! The machines are network namespaces on one bridge. A machine is disconnected so that its packets are lost and no
//! connection is refused.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    privileges::{as_root, require_tool, run_or_panic, try_run},
    scenario::{Fetch, Scenario, TIMEOUT, all_end, wait},
    server::OwnServer,
};
use crate::support::{audit, test_dir::TestDir};

/// How long a claim is valid without a heartbeat, as in [`OPTIONS`].
const LEASE: Duration = Duration::from_secs(6);

/// How long after the lease other machines may take to prepare what the disconnected one held. The server ends a session
/// that is idle within a transaction after 10 s, and then another worker has to claim the recordings.
const TAKE_OVER: Duration = Duration::from_secs(14);

const OPTIONS: [&str; 6] = ["--workers", "2", "--lease", "6s", "--heartbeat", "2s"];

const SERVER: &str = "10.213.77.1";

/// The MAC address of the server's interface. It is fixed, so that no machine needs ARP.
const MAC: &str = "02:13:77:00:00:01";

/// A bridge in the server's namespace, and one namespace for each machine.
struct Network {
    /// The prefix of its namespaces' names.
    name: String,
    machines: usize,
}

impl Network {
    fn new(machines: usize) -> Self {
        let network = Self { name: format!("pa{}", std::process::id()), machines };
        let server = network.server();
        run_or_panic(&format!("ip netns add {server}"));
        run_or_panic(&format!("ip -n {server} link set lo up"));
        run_or_panic(&format!("ip -n {server} link add bridge address {MAC} type bridge"));
        run_or_panic(&format!("ip -n {server} address add {SERVER}/24 dev bridge"));
        run_or_panic(&format!("ip -n {server} link set bridge up"));
        (0..machines).for_each(|n| network.add(n));
        network
    }

    fn add(&self, n: usize) {
        let (server, machine) = (self.server(), self.machine(n));
        run_or_panic(&format!("ip netns add {machine}"));
        run_or_panic(&format!("ip -n {machine} link set lo up"));
        run_or_panic(&format!("ip -n {server} link add to{n} type veth peer name net netns {machine}"));
        run_or_panic(&format!("ip -n {machine} address add 10.213.77.{}/24 dev net", 10 + n));
        run_or_panic(&format!("ip -n {machine} link set net up"));
        run_or_panic(&format!("ip -n {machine} neighbour add {SERVER} lladdr {MAC} dev net nud permanent"));
        run_or_panic(&format!("ip -n {server} link set to{n} up"));
        self.connect(n);
    }

    fn server(&self) -> String {
        format!("{}s", self.name)
    }

    fn machine(&self, n: usize) -> String {
        format!("{}m{n}", self.name)
    }

    /// Disconnects a machine at the bridge, so that its own interface stays up.
    fn disconnect(&self, n: usize) {
        run_or_panic(&format!("ip -n {} link set to{n} nomaster", self.server()));
    }

    fn connect(&self, n: usize) {
        run_or_panic(&format!("ip -n {} link set to{n} master bridge", self.server()));
    }

    /// Starts `fetch` on a machine.
    fn fetch(&self, scenario: &Scenario, n: usize) -> Fetch {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", &self.machine(n), env!("CARGO_BIN_EXE_prepare-audio")]);
        let address = format!("postgres://postgres@{SERVER}/queue");
        command
            .args(["fetch", "--database"])
            .arg(address)
            .arg("--output")
            .arg(&scenario.output)
            .args(OPTIONS)
            .current_dir(scenario.dir.path(""));
        Fetch::start(command, scenario.dir.path(format!("log {n}")))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for n in 0..self.machines {
            try_run(&format!("ip netns del {}", self.machine(n)));
        }
        try_run(&format!("ip netns del {}", self.server()));
    }
}

/// Makes the transaction that writes segment rows slow, so that it can be interrupted.
const SLOW_INSERTS: &str = "
CREATE FUNCTION slow_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$;
CREATE TRIGGER slow_insert AFTER INSERT ON segment EXECUTE FUNCTION slow_insert()";

/// Logs which worker claimed each recording.
const CLAIM_LOG: &str = "
CREATE TABLE claims (id bigint, token bigint, worker text);
CREATE FUNCTION log_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO claims VALUES (NEW.id, NEW.token, NEW.worker); RETURN NULL; END $$;
CREATE TRIGGER log_claim AFTER UPDATE ON recording FOR EACH ROW
    WHEN (NEW.state = 'running' AND NEW.token <> OLD.token) EXECUTE FUNCTION log_claim()";

/// Disconnects a machine in the middle of a transaction, whose rows the server keeps locked. Returns the ids of the
/// recordings that the machine holds.
fn disconnect_in_a_transaction(network: &Network, scenario: &Scenario, n: usize, fetch: &Fetch) -> Vec<i64> {
    let writers = format!(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND client_addr = '10.213.77.{}'",
        10 + n
    );
    wait(TIMEOUT, "it writes", || scenario.change(&writers)[0] > 0);
    fetch.signal("STOP");
    sleep(Duration::from_millis(500)); // the server has answered, and waits for the next statement
    network.disconnect(n);
    fetch.signal("CONT");
    scenario.change(&format!("SELECT id FROM recording WHERE state = 'running' AND worker LIKE '%-{}-%'", fetch.id()))
}

#[test]
fn a_disconnected_machine_loses_its_claims_and_publishes_nothing_of_them() {
    if !as_root("outages::hosts::a_disconnected_machine_loses_its_claims_and_publishes_nothing_of_them", false) {
        return;
    }
    if !require_tool("iproute2", try_run("ip netns list"), "PREPARE_AUDIO_REQUIRE_IPROUTE2") {
        return;
    }
    let network = Network::new(3);
    let Some(mut server) = OwnServer::new(Some((SERVER.to_owned(), network.server()))) else { return };
    server.start();
    server.create_database("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 120);
    audit::execute(&scenario.url, ["", SLOW_INSERTS]);
    audit::execute(&scenario.url, ["", CLAIM_LOG]);
    scenario.add(60, Duration::from_millis(200));
    // One recording becomes available only later, so that no process ends because the queue is empty.
    scenario.change(
        "UPDATE recording SET available_at = 99999999999999 WHERE id = (SELECT MAX(id) FROM recording) RETURNING id",
    );
    let mut fleet: Vec<Fetch> = (0..3).map(|n| network.fetch(&scenario, n)).collect();
    scenario.wait_for_done(6, TIMEOUT);
    let held = disconnect_in_a_transaction(&network, &scenario, 0, &fleet[0]);
    let disconnected = Instant::now();
    assert!(!held.is_empty(), "it was disconnected within a transaction");
    let ids = held.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    wait(LEASE + TAKE_OVER, "other machines have prepared what it held", || {
        scenario.count(&format!("id IN ({ids}) AND state <> 'done'")) == 0
    });
    let taken_over = disconnected.elapsed();
    println!("the {} recordings that it held were done by other machines after {taken_over:?}", held.len());
    assert!(taken_over > LEASE / 2, "no recording is claimed before its lease ends");
    fleet.iter_mut().for_each(Fetch::assert_running);
    assert!(fleet[0].log_count("paused: the database") > 0, "{}", fleet[0].log());
    let before = fleet[0].log_count(" done ");
    scenario.add(60, Duration::from_millis(150));
    scenario.change("UPDATE recording SET available_at = 0 WHERE available_at = 99999999999999 RETURNING id");
    network.connect(0);
    let noticed = wait(Duration::from_secs(20), "it reconnects", || fleet[0].log_count("answers again") > 0);
    let resumed = wait(TIMEOUT, "it prepares recordings again", || fleet[0].log_count(" done ") > before);
    println!("it reconnected {noticed:?} after the network was back, and completed a recording {resumed:?} later");
    all_end(&mut fleet, 0, TIMEOUT);
    scenario.assert_complete();
    let twice = scenario.change("SELECT id FROM recording WHERE attempts > 1 OR crashes > 0");
    // The list may have more than what the machine held: the kernel sends its last claim again as soon as the network is
    // back, and this may reach the server after the program has stopped waiting for the answer.
    let by_others = scenario.change(&format!(
        "SELECT id FROM claims c WHERE worker NOT LIKE '%-{}-%' AND EXISTS \
         (SELECT 1 FROM claims l WHERE l.id = c.id AND l.token > c.token)",
        fleet[0].id()
    ));
    assert_eq!(by_others, [0_i64; 0], "only the disconnected machine lost claims: {twice:?}, {held:?}");
    assert!(held.iter().all(|id| twice.contains(id)), "everything that it held was claimed again: {twice:?}, {held:?}");
    let by_it = format!("token > 1 AND worker LIKE '%-{}-%' AND id IN ({ids}) AND crashes > 0", fleet[0].id());
    assert_eq!(scenario.count(&by_it), 0, "it published nothing under a lost claim");
}
