//! The contract of the store: one suite of tests, run on SQLite, on PostgreSQL, and on PostgreSQL through PgBouncer.

mod browsing;
mod claiming;
mod completion;
mod fencing;
mod figures;
mod live;
mod opening;
mod operating;
mod postgres_only;
mod probabilities;
mod quality;
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
        mod pgbouncer {
            $(mod $module { $(
                #[test]
                fn $test() {
                    crate::support::test_database::runtime().block_on(async {
                        if let Some(db) = crate::support::test_database::TestDatabase::pooled().await {
                            crate::store::$module::$test(db).await;
                        }
                    });
                }
            )* })*
        }
    };
}

test_on_each_database! {
    opening: opening_again_keeps_the_rows refuses_tables_of_a_newer_version many_connections_open_at_the_same_time
        takes_over_what_sqlx_listed leaves_rows_of_others_alone names_tables_of_others
        a_dropped_future_does_not_stop_the_write;
    claiming: distinguishes_new_sources_from_known_ones adds_known_sources_again_for_new_parameters adds_all_or_nothing
        accepts_any_characters_in_sources adds_many_in_their_order claims_by_priority_and_time
        a_claim_is_written_to_its_row a_source_is_claimed_once_per_recipe skips_sources_that_have_the_recipe
        no_source_is_claimed_twice drops_duplicates_that_never_ran;
    fencing: a_lost_claim_changes_nothing a_group_may_be_ended_twice a_reserved_claim_is_begun_once a_cancelled_recording_stays_cancelled a_recording_is_completed_once a_failure_may_be_reported_twice
        release_skips_lost_claims a_heartbeat_returns_the_valid_claims;
    completion: completes_with_all_columns_and_segments replaces_old_segments completes_all_or_nothing
        ends_several_at_once a_group_is_written_whole_or_not_at_all fails_without_another_attempt retries_later_while_attempts_are_left release_does_not_count_the_attempt
        retry_resets_attempts_and_errors;
    reaping: reclaims_recordings_with_expired_leases keeps_claims_of_live_workers quarantines_after_too_many_crashes
        what_was_only_claimed_has_not_crashed a_late_heartbeat_renews_an_expired_lease keeps_claims_of_registered_workers;
    probabilities: stores_probabilities_and_segments_for_resegmenting probabilities_belong_to_their_attempt
        returns_only_segments_of_the_same_probabilities adds_rows_to_segment_again;
    quality: figures_are_written_once_they_are_known opens_a_database_without_figures;
    queries: counts_by_state lists_the_newest_failures_first pages_through_the_pending pages_through_segments
        pages_through_referenced_files reports_remaining_work reports_its_schema;
    browsing: lists_recordings_by_pages searches_by_every_condition finds_the_end_of_a_step reads_a_recording_in_full
        annotations_belong_to_source_and_boundaries;
    figures: histograms_count_each_class extremes_are_sorted_and_named names_groups_and_errors_are_counted
        done_recordings_have_positions;
    live: a_session_becomes_a_pending_recording sessions_without_audio_become_no_recording open_sessions_belong_to_a_folder;
    operating: cancels_all_but_done_recordings cancels_only_pending_recordings cancelling_invalidates_the_claim
        retries_by_error_code lists_running_recordings_by_worker keeps_priority_and_metadata
        lists_quarantined_recordings reports_how_long_an_isolated_recording_waits notifies_of_added_recordings;
}
