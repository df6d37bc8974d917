//! Several machines on one PostgreSQL, as network namespaces on one bridge; one of them is cut off, so that nothing is
//! refused and everything is lost.

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

/// How long a claim stands without a heartbeat, as [`OPTIONS`] say.
const LEASE: Duration = Duration::from_secs(6);

/// How much longer it may take until others have done what a machine held that was cut off: until the server has ended
/// its session (10 s), if that was within a transaction, and somebody has looked.
const TAKE_OVER: Duration = Duration::from_secs(14);

const OPTIONS: [&str; 6] = ["--workers", "2", "--lease", "6s", "--heartbeat", "2s"];

const SERVER: &str = "10.213.77.1";

/// The server's own name for its card, so that no machine has to ask for it.
const CARD: &str = "02:13:77:00:00:01";

/// A bridge in the server's namespace, and one namespace for each machine.
struct Network {
    /// What the names of its namespaces begin with.
    name: String,
    machines: usize,
}

impl Network {
    fn new(machines: usize) -> Self {
        let network = Self { name: format!("pa{}", std::process::id()), machines };
        let server = network.server();
        run_or_panic(&format!("ip netns add {server}"));
        run_or_panic(&format!("ip -n {server} link set lo up"));
        run_or_panic(&format!("ip -n {server} link add bridge address {CARD} type bridge"));
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
        run_or_panic(&format!("ip -n {machine} neighbour add {SERVER} lladdr {CARD} dev net nud permanent"));
        run_or_panic(&format!("ip -n {server} link set to{n} up"));
        self.join(n);
    }

    fn server(&self) -> String {
        format!("{}s", self.name)
    }

    fn machine(&self, n: usize) -> String {
        format!("{}m{n}", self.name)
    }

    /// Takes the cable out at the other end: this machine's card does not notice.
    fn cut_off(&self, n: usize) {
        run_or_panic(&format!("ip -n {} link set to{n} nomaster", self.server()));
    }

    fn join(&self, n: usize) {
        run_or_panic(&format!("ip -n {} link set to{n} master bridge", self.server()));
    }

    /// Starts `fetch` on a machine.
    fn fetch(&self, scenario: &Scenario, n: usize) -> Fetch {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", &self.machine(n), env!("CARGO_BIN_EXE_prepare-audio")]);
        let place = ["fetch", "--database"];
        let address = format!("postgres://postgres@{SERVER}/queue");
        command
            .args(place)
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

/// Makes the writing of each recording's rows take a while, so that it can be interrupted.
const SLOWLY: &str = "
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$;
CREATE TRIGGER slowly AFTER INSERT ON segment EXECUTE FUNCTION slowly()";

/// Writes down who claimed each recording.
const CLAIMS: &str = "
CREATE TABLE claims (id bigint, token bigint, worker text);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO claims VALUES (NEW.id, NEW.token, NEW.worker); RETURN NULL; END $$;
CREATE TRIGGER note_claim AFTER UPDATE ON recording FOR EACH ROW
    WHEN (NEW.state = 'running' AND NEW.token <> OLD.token) EXECUTE FUNCTION note_claim()";

/// Cuts a machine off in the middle of a transaction, whose rows the server keeps locked; returns the ids of what the
/// machine holds.
fn cut_off_in_the_middle(network: &Network, scenario: &Scenario, n: usize, fetch: &Fetch) -> Vec<i64> {
    let writes = format!(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND client_addr = '10.213.77.{}'",
        10 + n
    );
    wait(TIMEOUT, "it writes", || scenario.change(&writes)[0] > 0);
    fetch.signal("STOP");
    sleep(Duration::from_millis(500)); // the server has answered, and waits for the next statement
    network.cut_off(n);
    fetch.signal("CONT");
    scenario.change(&format!("SELECT id FROM recording WHERE state = 'running' AND worker LIKE '%-{}-%'", fetch.id()))
}

#[test]
fn a_machine_that_is_cut_off_loses_its_work_and_publishes_nothing_of_it() {
    if !as_root("outages::hosts::a_machine_that_is_cut_off_loses_its_work_and_publishes_nothing_of_it", false) {
        return;
    }
    if !require_tool("iproute2", try_run("ip netns list"), "PREPARE_AUDIO_REQUIRE_IPROUTE2") {
        return;
    }
    let network = Network::new(3);
    let Some(mut server) = OwnServer::new(Some((SERVER.to_owned(), network.server()))) else { return };
    server.start();
    server.make("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 120);
    audit::execute(&scenario.url, ["", SLOWLY]);
    audit::execute(&scenario.url, ["", CLAIMS]);
    scenario.add(60, Duration::from_millis(200));
    // One that is kept for later: until then no process finds that nothing is left, and ends.
    scenario.change(
        "UPDATE recording SET available_at = 99999999999999 WHERE id = (SELECT MAX(id) FROM recording) RETURNING id",
    );
    let mut fleet: Vec<Fetch> = (0..3).map(|n| network.fetch(&scenario, n)).collect();
    scenario.wait_for_done(6, TIMEOUT);
    let lost = cut_off_in_the_middle(&network, &scenario, 0, &fleet[0]);
    let cut_off = Instant::now();
    assert!(!lost.is_empty(), "it was stopped within a transaction");
    let ids = lost.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    wait(LEASE + TAKE_OVER, "others have done it", || {
        scenario.count(&format!("id IN ({ids}) AND state <> 'done'")) == 0
    });
    let taken = cut_off.elapsed();
    println!("the {} that it held were done by others after {taken:?}", lost.len());
    assert!(taken > LEASE / 2, "nobody takes what is held before its lease ends");
    fleet.iter_mut().for_each(Fetch::is_running);
    assert!(fleet[0].log_count("paused: the database") > 0, "{}", fleet[0].log());
    let before = fleet[0].log_count(" done ");
    scenario.add(60, Duration::from_millis(150));
    scenario.change("UPDATE recording SET available_at = 0 WHERE available_at = 99999999999999 RETURNING id");
    network.join(0);
    let back = wait(Duration::from_secs(20), "it is back", || fleet[0].log_count("answers again") > 0);
    let shares = wait(TIMEOUT, "it shares what is left", || fleet[0].log_count(" done ") > before);
    println!("it noticed {back:?} after the cable was back, and shared the work {shares:?} later");
    all_end(&mut fleet, 0, TIMEOUT);
    scenario.is_whole();
    let twice = scenario.change("SELECT id FROM recording WHERE attempts > 1 OR crashes > 0");
    // Not only what it held when it was cut off: its last claim, sent again by the kernel as soon as the network is back,
    // may reach the server after the program has given up waiting for the answer.
    let by_others = scenario.change(&format!(
        "SELECT id FROM claims c WHERE worker NOT LIKE '%-{}-%' AND EXISTS \
         (SELECT 1 FROM claims l WHERE l.id = c.id AND l.token > c.token)",
        fleet[0].id()
    ));
    assert_eq!(by_others, [0_i64; 0], "only what was cut off was begun twice: {twice:?}, {lost:?}");
    assert!(lost.iter().all(|id| twice.contains(id)), "what was cut off was begun again: {twice:?}, {lost:?}");
    let by_it = format!("token > 1 AND worker LIKE '%-{}-%' AND id IN ({ids}) AND crashes > 0", fleet[0].id());
    assert_eq!(scenario.count(&by_it), 0, "it published something that it had lost");
}
