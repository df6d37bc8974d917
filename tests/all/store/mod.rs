//! The contract of the store: one suite of tests, run on SQLite and on PostgreSQL.

mod claiming;
mod completion;
mod fencing;
mod opening;
mod operating;
mod postgres_only;
mod probabilities;
mod queries;
mod reaping;
mod sqlite_only;
mod url;

/// Defines a test on each database from each function `async fn(TestDatabase)`.
macro_rules! test_on_each_database {
    ($($module:ident: $($test:ident)*;)*) => {
        mod sqlite {
            $(mod $module { $(
                #[test]
                fn $test() {
                    let run = async { crate::store::$module::$test(crate::support::test_database::TestDatabase::sqlite().await.unwrap()).await };
                    crate::support::test_database::runtime().block_on(run);
                }
            )* })*
        }
        mod postgres {
            $(mod $module { $(
                #[test]
                fn $test() {
                    crate::support::test_database::runtime().block_on(async {
                        if let Some(db) = crate::support::test_database::TestDatabase::postgres().await {
                            crate::store::$module::$test(db).await;
                        }
                    });
                }
            )* })*
        }
    };
}

test_on_each_database! {
    opening: opens_again_and_keeps_what_is_there refuses_tables_that_are_newer many_open_it_at_once
        a_caller_who_stops_waiting_does_not_stop_the_write;
    claiming: distinguishes_new_sources_from_known_ones new_parameters_are_new_work adds_all_or_nothing
        takes_sources_of_any_spelling adds_many_in_their_order claims_in_order_and_not_too_early a_claim_shows_in_its_row
        a_source_is_claimed_once_for_each_recipe skips_what_its_recipe_has_already
        nothing_is_claimed_twice drops_duplicates_that_never_ran;
    fencing: a_lost_claim_changes_nothing a_group_may_be_ended_twice a_reserved_claim_is_begun_once a_cancelled_recording_stays_cancelled a_recording_is_completed_once a_failure_may_be_reported_twice
        release_skips_lost_claims a_heartbeat_returns_the_valid_claims;
    completion: completes_with_all_facts_and_segments replaces_old_segments completes_all_or_nothing
        ends_several_at_once a_group_is_written_whole_or_not_at_all gives_up_at_once tries_again_later_while_attempts_are_left release_takes_the_attempt_back
        retry_starts_from_the_beginning;
    reaping: takes_back_what_lapsed leaves_live_workers_alone quarantines_what_crashes_too_often
        what_was_only_claimed_has_not_crashed a_heartbeat_keeps_it a_registered_live_worker_is_left_alone;
    probabilities: stores_what_segmenting_again_needs probabilities_belong_to_their_attempt
        knows_segments_of_the_same_audio_only adds_rows_to_segment_again;
    queries: counts_by_state shows_the_newest_failures_first pages_through_the_pending pages_through_segments
        pages_through_referenced_files reports_what_is_left reports_its_schema;
    operating: cancels_all_but_what_is_done cancels_pending_recordings_only cancelling_takes_the_claim_away
        retries_by_error_code reports_who_holds_what keeps_priority_and_metadata lists_the_quarantined
        reports_how_long_an_isolated_recording_waits notifies_of_what_is_added;
}
