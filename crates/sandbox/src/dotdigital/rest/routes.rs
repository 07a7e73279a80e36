//! Every operation that is answered. What the OpenAPI file has besides is named in the test `contract`.

use super::Tier::{High, Low, Medium, Unlimited};
use super::call::{Answer, Call};
use super::{
    Route, Tier, accounts, bulk, campaigns, contacts, forms, identifiers, imports, lists, people,
    preferences, reports, sends, suppressions,
};

const fn get(pattern: &'static str, tier: Tier, handler: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { method: "GET", pattern, tier, handler }
}

const fn post(pattern: &'static str, tier: Tier, handler: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { method: "POST", pattern, tier, handler }
}

const fn put(pattern: &'static str, tier: Tier, handler: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { method: "PUT", pattern, tier, handler }
}

const fn patch(pattern: &'static str, tier: Tier, handler: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { method: "PATCH", pattern, tier, handler }
}

const fn delete(pattern: &'static str, tier: Tier, handler: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { method: "DELETE", pattern, tier, handler }
}

/// Which tier a call belongs to is not published; these follow the words of the vendor's page (inferred).
pub(crate) const ROUTES: &[Route] = &[
    get("/v2/account-info", High, accounts::info),
    get("/v2/server-time", High, accounts::server_time),
    get("/v2/data-fields", High, accounts::fields),
    post("/v2/data-fields", Medium, accounts::create_field),
    delete("/v2/data-fields/{}", Medium, accounts::delete_field),
    // Lists and segments.
    get("/v2/address-books", Low, lists::all),
    post("/v2/address-books", Medium, lists::create),
    get("/v2/address-books/private", Low, lists::private),
    get("/v2/address-books/public", Low, lists::public),
    get("/v2/address-books/{}", High, lists::one),
    put("/v2/address-books/{}", Medium, lists::update),
    delete("/v2/address-books/{}", Medium, lists::delete),
    get("/v2/address-books/{}/campaigns", Low, campaigns::of_list),
    get("/v2/address-books/{}/contacts", Low, lists::members),
    post("/v2/address-books/{}/contacts", Medium, lists::add),
    delete("/v2/address-books/{}/contacts", Low, lists::clear),
    delete("/v2/address-books/{}/contacts/{}", Medium, lists::remove),
    post("/v2/address-books/{}/contacts/delete", Low, lists::remove_many),
    post("/v2/address-books/{}/contacts/delete-all", Low, lists::remove_all),
    get("/v2/address-books/{}/contacts/modified-since/{}", Low, lists::members_since),
    get("/v2/address-books/{}/contacts/unsubscribed-since/{}", Low, lists::departed_since),
    post("/v2/address-books/{}/contacts/unsubscribe", Medium, lists::unsubscribe),
    post("/v2/address-books/{}/contacts/resubscribe", Medium, suppressions::resubscribe_to_list),
    post(
        "/v2/address-books/{}/contacts/resubscribe-with-no-challenge",
        Medium,
        suppressions::resubscribe_to_list_unchallenged,
    ),
    get("/v2/address-books/{}/contacts/score", Low, contacts::scores_of_list),
    post("/v2/address-books/{}/contacts/import", Low, imports::to_list),
    post("/v2/address-books/{}/contacts/import/with-merge-option/{}", Low, imports::to_list_merged),
    get("/v2/address-books/{}/contacts/with-preference/{}", Low, preferences::members_with),
    get(
        "/v2/address-books/{}/contacts/with-preference/{}/opt-ins-since/{}",
        Low,
        preferences::member_opt_ins_since,
    ),
    get("/v2/segments", Low, lists::segments),
    post("/v2/segments/refresh/{}", Medium, lists::refresh),
    get("/v2/segments/refresh/{}", High, lists::refresh_progress),
    // Contacts of v2.
    get("/v2/contacts", Low, contacts::all),
    post("/v2/contacts", Medium, contacts::create),
    get("/v2/contacts/count", High, contacts::count),
    get("/v2/contacts/retrieve-collection", Low, contacts::collection),
    get("/v2/contacts/created-since/{}", Low, contacts::created_since),
    get("/v2/contacts/modified-since/{}", Low, contacts::modified_since),
    get("/v2/contacts/suppressed-since/{}", Low, suppressions::suppressed_since),
    get("/v2/contacts/unsubscribed-since/{}", Low, suppressions::unsubscribed_since),
    post("/v2/contacts/unsubscribe", Medium, contacts::unsubscribe),
    put("/v2/contacts/suppress-contacts", Low, contacts::suppress),
    post("/v2/contacts/resubscribe", Medium, suppressions::resubscribe),
    post("/v2/contacts/resubscribe-with-no-challenge", Medium, suppressions::resubscribe_unchallenged),
    post("/v2/contacts/with-consent", Medium, contacts::create_consenting),
    post("/v2/contacts/with-consent-and-preferences", Medium, contacts::create_consenting),
    get("/v2/contacts/score", Low, contacts::scores),
    get("/v2/contacts/score/modified-since/{}", Low, contacts::scores_since),
    get("/v2/contacts/deletion/{}", Unlimited, lists::removal_progress),
    get("/v2/contacts/{}", High, contacts::one),
    put("/v2/contacts/{}", Medium, contacts::update),
    delete("/v2/contacts/{}", Medium, contacts::delete),
    get("/v2/contacts/{}/with-consent", High, contacts::with_consent),
    put("/v2/contacts/{}/with-consent", Medium, contacts::update_consenting),
    put("/v2/contacts/{}/with-consent-and-preferences", Medium, contacts::update_consenting),
    get("/v2/contacts/{}/address-books", Low, lists::of_contact),
    get("/v2/contacts/{}/score", High, contacts::score),
    // Imports of v2.
    post("/v2/contacts/import", Low, imports::everybody),
    post("/v2/contacts/import/with-merge-option/{}", Low, imports::everybody_merged),
    post("/v2/contacts/import-collection", Low, imports::collection),
    get("/v2/contacts/import/{}", Unlimited, imports::progress),
    get("/v2/contacts/import/{}/report", High, imports::report),
    get("/v2/contacts/import/{}/report-faults", High, imports::faults),
    // Preferences.
    get("/v2/preferences", High, preferences::all),
    post("/v2/preferences", Medium, preferences::create),
    get("/v2/preferences/modified-since/{}", High, preferences::since),
    put("/v2/preferences/{}", Medium, preferences::update),
    delete("/v2/preferences/{}", Medium, preferences::delete),
    get("/v2/contacts/with-preference/{}", Low, preferences::contacts_with),
    get("/v2/contacts/with-preference/{}/opt-ins-since/{}", Low, preferences::opt_ins_since),
    get("/v2/contacts/{}/preferences", High, preferences::of_contact),
    put("/v2/contacts/{}/preferences", Medium, preferences::set),
    get("/v2/contact/{}/preferences", High, preferences::of_contact),
    put("/v2/contact/{}/preferences", Medium, preferences::set),
    get("/v2/contacts/{}/subscriptions", High, preferences::subscriptions),
    // Campaigns and sends.
    get("/v2/campaigns", Low, campaigns::all),
    post("/v2/campaigns", Medium, campaigns::create),
    get("/v2/campaigns/filtered", Low, campaigns::filtered),
    get("/v2/campaigns/with-details", Low, campaigns::with_details),
    get("/v2/campaigns/with-activity-since/{}", Low, campaigns::with_activity_since),
    get("/v2/campaigns/metrics", Low, reports::metrics),
    post("/v2/campaigns/split-test", Medium, campaigns::create_split),
    post("/v2/campaigns/send", Unlimited, sends::send),
    post("/v2/campaigns/send-time-optimised", Unlimited, sends::send_optimised),
    get("/v2/campaigns/send/{}", Unlimited, sends::progress),
    get("/v2/campaigns/{}", High, campaigns::one),
    put("/v2/campaigns/{}", Medium, campaigns::update),
    delete("/v2/campaigns/{}", Medium, campaigns::delete),
    post("/v2/campaigns/{}/copy", Medium, campaigns::copy),
    get("/v2/campaigns/{}/with-details", High, campaigns::one_with_details),
    get("/v2/campaigns/{}/split-test", High, campaigns::split),
    get("/v2/campaigns/{}/address-books", Low, lists::of_campaign),
    get("/v2/campaigns/{}/prepared-for-transactional-email/{}", High, campaigns::prepared),
    get("/v2/custom-from-addresses", High, campaigns::from_addresses),
    // Reports.
    get("/v2/campaigns/{}/summary", High, reports::summary_of),
    get("/v2/campaigns/{}/activities", Low, reports::activities),
    get("/v2/campaigns/{}/activities/since-date/{}", Low, reports::activities_since),
    get("/v2/campaigns/{}/activities/{}", High, reports::activity),
    get("/v2/campaigns/{}/clicks", Low, reports::clicks),
    get("/v2/campaigns/{}/clicks/since-date/{}", Low, reports::clicks_since),
    get("/v2/campaigns/{}/activities/{}/clicks", High, reports::clicks_of),
    get("/v2/campaigns/{}/clicks-with-groups", Low, reports::grouped_clicks),
    get("/v2/campaigns/{}/clicks-with-groups/since-date/{}", Low, reports::grouped_clicks_since),
    get("/v2/campaigns/{}/activities/{}/clicks-with-groups", High, reports::grouped_clicks_of),
    get("/v2/campaigns/{}/opens", Low, reports::opens),
    get("/v2/campaigns/{}/opens/since-date/{}", Low, reports::opens_since),
    get("/v2/campaigns/{}/activities/{}/opens", High, reports::opens_of),
    get("/v2/campaigns/{}/page-views/since-date/{}", Low, reports::page_views_since),
    get("/v2/campaigns/{}/activities/{}/page-views", High, reports::page_views_of),
    get("/v2/campaigns/{}/activities/{}/replies", High, reports::replies_of),
    get("/v2/campaigns/{}/social-bookmark-views", Low, reports::social),
    get("/v2/campaigns/{}/activities/{}/social-bookmark-views", High, reports::social_of),
    get("/v2/campaigns/{}/roi-details/since-date/{}", Low, reports::roi_since),
    get("/v2/campaigns/{}/activities/{}/roi-details", High, reports::roi_of),
    get("/v2/campaigns/{}/revenue/since-date/{}", Low, reports::revenue_since),
    get("/v2/campaigns/{}/activities/{}/revenue", High, reports::revenue_of),
    get("/v2/campaigns/{}/hard-bouncing-contacts", Low, reports::hard_bouncing),
    // Forms and programs.
    get("/v2/surveys", Low, forms::all),
    get("/v2/surveys/with-activity-since/{}", Low, forms::with_activity_since),
    get("/v2/surveys/{}", High, forms::one),
    get("/v2/surveys/{}/fields", High, forms::fields),
    get("/v2/surveys/{}/responses", Low, forms::responses),
    get("/v2/surveys/{}/responses/with-activity-since/{}", Low, forms::responses_since),
    get("/v2/programs", Low, forms::programs),
    get("/v2/programs/{}", High, forms::one_program),
    post("/v2/programs/enrolments", Unlimited, forms::enrol),
    get("/v2/programs/enrolments/{}", Unlimited, forms::enrolments),
    get("/v2/programs/enrolments/{}/report-faults", High, forms::enrolment_faults),
    // Single mails.
    post("/v2/email", Unlimited, sends::email),
    post("/v2/email/batch", Unlimited, sends::emails),
    post("/v2/email/triggered-campaign", Unlimited, sends::triggered_email),
    post("/v2/email/triggered-campaign/batch", Unlimited, sends::triggered_emails),
    get("/v2/email/stats/since-date/{}", High, sends::statistics),
    post("/marketing-email/v3/send", Unlimited, sends::marketing_email),
    post("/marketing-email/v3/batch", Unlimited, sends::marketing_emails),
    // Contacts of v3.
    get("/contacts/v3", Low, people::page),
    post("/contacts/v3", Medium, people::create),
    put("/contacts/v3/import", Low, bulk::import),
    get("/contacts/v3/import/{}", Unlimited, bulk::import_status),
    post("/contacts/v3/delete", Low, bulk::delete_many),
    get("/contacts/v3/delete/{}", Unlimited, bulk::delete_status),
    get("/contacts/v3/{}/{}", High, people::one),
    put("/contacts/v3/{}/{}", Medium, people::replace),
    patch("/contacts/v3/{}/{}", Medium, people::patch),
    delete("/contacts/v3/{}/{}", Medium, people::delete),
    get("/configuration/v3/customIdentifiers", High, identifiers::all),
    post("/configuration/v3/customIdentifiers", Medium, identifiers::create),
    delete("/configuration/v3/customIdentifiers/{}", Medium, identifiers::delete),
];
