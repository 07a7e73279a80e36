//! The marketing half's rules, tested from outside, over every make of the CRM.
//!
//! # Where
//!
//! A test of a flow runs in every place of [`bench::On`] that its module names: embedded on SQLite and on PostgreSQL, and behind
//! the embedded CRM's two doors by the Web API's and SOAP's makes of the port ([`door`]). Users write to the CRM directly, the
//! engine meets it by the port. Servers of 2011 (SOAP without keys, upsert, changes, transactions, messages of many requests)
//! and of 2016 (Web API without messages of many rows and without an account of changes) are slow to speak to: opt-outs and the
//! first day run there whole, and of contacts, lists, sends and events those tests that make, change, delete or tie rows in a way
//! of their own (`on_old`). Sweeps over the service's calls run embedded on SQLite: what is lost there the CRM does
//! not see; those over the CRM's calls run over the doors.
//!
//! # Scenarios, and the tests that show them
//!
//! | scenario | tests |
//! | --- | --- |
//! | first run against an account with history | `first_day::a_year_of_history_is_taken_once`, `suppressions::the_first_exchange_takes_all_history`, `unsubscribes::the_first_run_takes_all_history` |
//! | two records with one address | `contacts::one_record_speaks_for_an_address`, `suppressions::every_record_with_the_address`, `lists::one_address_of_two_members_leaves_with_the_last` |
//! | o'brien+x@example.com everywhere | `ODD` in every module |
//! | two clicks in one second | `events::two_links_in_one_second_are_two_clicks`, `events::equal_clicks_over_the_end_of_a_page_are_counted` |
//! | an event on the cursor's very second | `events::an_event_on_the_very_second_of_the_mark_is_not_lost` |
//! | a list renamed | `lists::a_list_is_renamed_by_its_id` |
//! | a list deleted | `lists::a_list_that_is_gone_there_is_not_rebuilt_unasked`, `lists::a_list_that_is_gone_here_takes_its_own_along` |
//! | a list with a reserved name | `lists::reserved_names_are_said` |
//! | data faults against opt-outs in reject reports | `imports::faults_are_of_their_rows` |
//! | credentials wrong | `plan::a_wrong_password_is_noted_and_mended`, `plan::one_account_never_stops_another` |
//! | region wrong | `first_day::an_account_of_another_region_is_followed` |
//! | unknown enumeration values | `campaigns::words_that_nobody_knows_are_no_error`, `events::unknown_words_are_stored`, `contacts::labels_go_both_ways` |
//! | servers without alternate keys | the modules `webapi_2016` and `soap_2011` in contacts, lists, suppressions, sends, events, first_day, defects |
//! | tables that change while we run | `columns` |
//! | requests in the queue of servers before 9.0 | `queue` |
//! | a CRM or its answers lost | `queue::lost_answers_double_nothing`, `sweep::opt_outs_survive_lost_answers_of_the_crm`, `events::behaviour_survives_lost_answers_of_the_crm`, `defects::a_crm_that_was_put_back_is_read_anew` |
//! | a long random run on both sides | `consent_model`, for thousands of steps by `cargo xtask consent` |

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod adopt;
mod bench;
mod campaigns;
mod columns;
mod consent_model;
mod contacts;
mod defects;
mod departures;
mod door;
mod events;
mod first_day;
mod followed;
mod forms;
mod imports;
mod install;
mod lab;
mod lists;
mod mandate;
mod newcomers;
mod office;
mod package;
mod person;
mod plan;
mod points;
mod preferences;
mod queue;
mod requests;
mod sends;
mod singles;
mod soap;
mod solution;
mod suppressions;
mod sweep;
mod undo;
mod unsubscribes;
