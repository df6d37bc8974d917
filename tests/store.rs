//! The promises of the store: one suite, run on SQLite and on PostgreSQL alike.

mod support;

#[path = "store/claiming.rs"]
mod claiming;
#[path = "store/ending.rs"]
mod ending;
#[path = "store/fencing.rs"]
mod fencing;
#[path = "store/keeping.rs"]
mod keeping;
#[path = "store/looking.rs"]
mod looking;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/operating.rs"]
mod operating;
#[path = "store/postgres_only.rs"]
mod postgres_only;
#[path = "store/reaping.rs"]
mod reaping;
#[path = "store/sqlite_only.rs"]
mod sqlite_only;
#[path = "store/url.rs"]
mod url;

/// Makes a test on each database out of each promise `async fn(Place)`.
macro_rules! promises {
    ($($room:ident: $($promise:ident)*;)*) => {
        mod sqlite {
            $(mod $room { $(
                #[test]
                fn $promise() {
                    let run = async { crate::$room::$promise(crate::support::place::Place::sqlite().await.unwrap()).await };
                    crate::support::place::runtime().block_on(run);
                }
            )* })*
        }
        mod postgres {
            $(mod $room { $(
                #[test]
                fn $promise() {
                    crate::support::place::runtime().block_on(async {
                        if let Some(place) = crate::support::place::Place::postgres().await {
                            crate::$room::$promise(place).await;
                        }
                    });
                }
            )* })*
        }
    };
}

promises! {
    opening: opens_again_and_keeps_what_is_there refuses_tables_that_are_newer many_open_it_at_once
        a_caller_who_stops_waiting_does_not_stop_the_write;
    claiming: tells_new_sources_from_known_ones new_parameters_are_new_work adds_all_or_nothing
        takes_sources_of_any_spelling adds_many_in_their_order claims_in_order_and_not_too_early a_claim_shows_in_its_row
        a_source_is_claimed_once_for_each_recipe passes_over_what_its_recipe_has_already
        nothing_is_handed_out_twice drops_duplicates_that_never_ran;
    fencing: a_lost_claim_changes_nothing a_cancelled_recording_stays_cancelled a_recording_is_completed_once a_failure_may_be_told_twice
        release_passes_over_lost_claims a_heartbeat_tells_the_standing_from_the_lost;
    ending: completes_with_all_facts_and_segments replaces_old_segments completes_all_or_nothing
        gives_up_at_once tries_again_later_while_attempts_are_left release_takes_the_attempt_back
        retry_starts_from_the_beginning;
    reaping: takes_back_what_lapsed leaves_the_living_alone quarantines_what_crashes_too_often
        a_heartbeat_keeps_it an_enlisted_worker_that_lives_is_left_alone;
    keeping: keeps_what_a_recording_is_known_by probabilities_go_with_their_attempt
        knows_segments_of_the_same_audio_only makes_rows_to_be_cut_anew;
    looking: counts_by_state shows_the_newest_failures_first pages_through_the_pending pages_through_segments
        pages_through_referenced_files tells_what_is_left tells_its_schema;
    operating: cancels_all_but_what_is_done cancels_what_waits_and_nothing_else cancelling_takes_the_claim_away
        tries_again_what_failed_for_a_reason tells_who_holds_what keeps_priority_and_metadata lists_the_quarantined
        tells_how_long_a_suspect_waits brings_news_of_what_is_added;
}
