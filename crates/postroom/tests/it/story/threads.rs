//! Conversations: who answers whom, in whatever order it comes, and what a person moved.

use serde_json::json;

use super::*;

#[track_caller]
fn filed(letter: &Letter) -> Value {
    house().filed(ANNA, &[DESK], letter.raw())
}

/// Anna's first mail about a case, filed by its token.
fn first(case: Case) -> (Letter, Value) {
    let letter = letter(&format!("Pump {}", case.token()));
    let message = filed(&letter);
    is_on(&message, &case.at(), "token");
    (letter, message)
}

#[test]
fn an_answer_lies_where_its_parent_lies() {
    let case = case();
    let (parent, message) = first(case);
    let answer = letter("Re: Pump").answering(&parent).from(JONAS);
    let filed_answer = filed(&answer);
    is_on(&filed_answer, &case.at(), "thread");
    assert_eq!(
        house().email(&filed_answer)["parentactivityid"],
        json!(format!("email/{}", text(&message["activity_id"])))
    );
    let only_references =
        letter("Re: Pump").header("References", &format!("<unknown@x.example> {}", parent.id()));
    is_on(&filed(&only_references), &case.at(), "thread");
    let deeper = letter("Re: Re: Pump").header("In-Reply-To", &answer.id());
    let deeper = filed(&deeper);
    is_on(&deeper, &case.at(), "thread");
    assert_eq!(
        house().email(&deeper)["parentactivityid"],
        json!(format!("email/{}", text(&filed_answer["activity_id"])))
    );
}

#[test]
fn a_thread_outranks_a_token_and_says_so() {
    let (case, other) = (case(), case());
    let (parent, _) = first(case);
    let message = filed(&letter(&format!("Re: {}", other.token())).answering(&parent));
    is_on(&message, &case.at(), "thread");
    has_flag(&message, "weaker_signal_disagrees");
}

/// Three generations, youngest first.
#[test]
fn children_that_came_first_follow_when_the_parent_comes() {
    let case = case();
    let parent = letter(&format!("Pump {}", case.token()));
    let child = letter("Re: Pump").header("In-Reply-To", &parent.id());
    let grandchild = letter("Re: Re: Pump").header("In-Reply-To", &child.id());
    let mut waiting = Vec::new();
    for early in [&grandchild, &child] {
        let message = filed(early);
        is_in_review(&message, "Nothing in it names a record");
        waiting.push(text(&message["id"]).to_owned());
    }
    is_on(&filed(&parent), &case.at(), "token");
    for id in waiting {
        let message = house().until(&id, "its parent's record", |message| message["state"] == "tracked");
        is_on(&message, &case.at(), "thread");
        assert_eq!(
            message["decisions"].as_array().map(Vec::len),
            Some(2),
            "both decisions are kept: {message:#}"
        );
    }
}

#[test]
fn later_answers_follow_a_mail_that_a_person_moved() {
    let (old, new) = (case(), case());
    let (parent, message) = first(old);
    let id = text(&message["id"]);
    let moved = house().one(&["message", "move", id, &new.at()]);
    assert_eq!(moved["changed"], json!([id]));
    let message = house().settled(id);
    is_on(&message, &new.at(), "person");
    assert_eq!(house().email(&message)["regardingobjectid"], json!(new.at()));
    is_on(&filed(&letter("Re: Pump").answering(&parent)), &new.at(), "thread");
    // A second look at the moved mail leaves a person's word alone.
    house().list(&["message", "replay", id]);
    is_on(&house().settled(id), &new.at(), "person");
}

/// Ours on the first, the customer's answer moved to the second: the signed id of the first names the thread no more.
#[test]
fn a_moved_answer_to_our_own_mail_takes_its_thread_along() {
    let (old, new) = (case(), case());
    let ours = |case: Case| text(&house().one(&["token", "make", &case.guid()])["message_id"]).to_owned();
    let first = ours(old);
    let answer = letter("Re: Pump").header("In-Reply-To", &first).header("References", &first);
    let message = filed(&answer);
    is_on(&message, &old.at(), "signed_id");
    house().one(&["message", "move", text(&message["id"]), &new.at()]);
    is_on(&filed(&letter("Re: Pump").answering(&answer)), &new.at(), "thread");
    let second = ours(new);
    let references = format!("{first} {} {second}", answer.id());
    let last = letter("Re: Pump").header("In-Reply-To", &second).header("References", &references);
    is_on(&filed(&last), &new.at(), "signed_id");
}

#[test]
fn an_answer_to_mail_in_review_follows_when_a_person_attaches_it() {
    let case = case();
    let parent = letter("Who does this belong to?");
    let message = filed(&parent);
    is_in_review(&message, "Nothing in it names a record");
    let answer = filed(&letter("Re: Who?").answering(&parent));
    is_in_review(&answer, "Nothing in it names a record");
    house().one(&["message", "review", "attach", text(&message["id"]), &case.at()]);
    is_on(&house().settled(text(&message["id"])), &case.at(), "person");
    let answer =
        house().until(text(&answer["id"]), "its parent's record", |message| message["state"] == "tracked");
    is_on(&answer, &case.at(), "thread");
}

const THREAD_INDEX: &str = "AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4EQ==";
const ITS_ANSWER: &str = "AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4EQAAeLpA";

#[test]
fn a_thread_index_counts_with_a_shared_party_only() {
    let case = case();
    is_on(&filed(&letter(&case.token()).header("Thread-Index", THREAD_INDEX)), &case.at(), "token");
    is_on(&filed(&letter("RE: Pump").header("Thread-Index", ITS_ANSWER)), &case.at(), "conversation_index");
    let stranger =
        letter("RE: Pump").header("Thread-Index", ITS_ANSWER).from(STRANGER).to("front@ours.example");
    let message = house().filed(STRANGER, &["front@ours.example"], stranger.raw());
    assert_eq!((text(&message["method"]), record(&message).as_str()), ("none", ""), "{message:#}");
}

/// Anna forwards the thread to sales, who are no party of it.
#[test]
fn a_mail_to_another_queue_and_to_nobody_of_the_thread_is_a_forward() {
    let case = case();
    let (parent, _) = first(case);
    let forward = letter("Fwd: Pump").answering(&parent).to(SALES);
    let message = house().filed(ANNA, &[SALES], forward.raw());
    is_in_review(&message, "Nothing in it names a record");
    assert!(message["decision"]["signals"].to_string().contains("forward"), "{message:#}");
    // With the desk among its recipients it is an answer.
    let both = letter("Re: Pump").answering(&parent).to(&format!("{SALES}, {DESK}"));
    is_on(&house().filed(ANNA, &[SALES], both.raw()), &case.at(), "thread");
}

#[test]
fn a_forward_is_none_by_thread_index_either() {
    let case = case();
    let index = "AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4FQ==";
    is_on(&filed(&letter(&case.token()).header("Thread-Index", index)), &case.at(), "token");
    let forward = letter("FW: Pump").header("Thread-Index", index).to(SALES);
    is_in_review(&house().filed(ANNA, &[SALES], forward.raw()), "Nothing in it names a record");
}

#[test]
fn a_message_id_used_again_is_another_message() {
    let (one, two) = (case(), case());
    let (first, message) = first(one);
    let again =
        letter(&format!("Quite another thing {}", two.token())).named(first.id().trim_matches(['<', '>']));
    let second = filed(&again);
    assert_ne!(second["id"], message["id"]);
    is_on(&second, &two.at(), "token");
    has_flag(&second, "message_id_reused");
    // An answer to that id could mean either.
    is_in_review(&filed(&letter("Re: Pump").answering(&first)), "disagree");
}
