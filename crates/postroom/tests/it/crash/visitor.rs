//! A visitor of the pages, as far as durable steps go: signs in by a link, looks around, signs out. The server is killed
//! on the way, and the visitor comes again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::crash::inside;
use crate::crash::points::Moment;
use crate::load::{House, PATIENCE, is_killed};

/// Kills the server at the point, then looks that the books balance and that the visitor can do it after all.
pub fn kill(house: &mut House, step: &str, moment: Moment) {
    let point = moment.of(step);
    let visitor = (step != "operations.sign_in").then(|| {
        house.start();
        let visitor = Visitor::signs_in(house);
        house.server.terminate(PATIENCE);
        visitor
    });
    inside::age_sessions(&house.url);
    let link = link(house);
    house.begin(Some(&point));
    assert!(house.is_up(PATIENCE), "{}", house.printed());
    ask(house.http, &request(house, step, visitor.as_ref(), &link));
    let status = house.server.wait_for_end(PATIENCE);
    assert!(is_killed(status), "{step} did not pass {point}: {status}\n{}", house.printed());
    house.run(&["verify"]).succeeds();
    house.start();
    Visitor::signs_in(house);
    house.server.terminate(PATIENCE);
}

fn request(house: &House, step: &str, visitor: Option<&Visitor>, link: &str) -> String {
    match (step, visitor) {
        ("operations.sign_in", None) => post(house.http, "/sign-in", "", &format!("link={link}")),
        ("operations.session_used", Some(visitor)) => get(house.http, "/", &visitor.cookie),
        ("operations.sign_out", Some(visitor)) => {
            post(house.http, "/sign-out", &visitor.cookie, &format!("csrf={}", visitor.csrf))
        }
        _ => panic!("no visitor passes {step}"),
    }
}

struct Visitor {
    cookie: String,
    csrf: String,
}

impl Visitor {
    fn signs_in(house: &House) -> Visitor {
        let answer = ask(house.http, &post(house.http, "/sign-in", "", &format!("link={}", link(house))));
        let cookie = between(&answer, "postroom=", ";");
        let page = ask(house.http, &get(house.http, "/", &cookie));
        Visitor { csrf: between(&page, "name=\"csrf\" value=\"", "\""), cookie }
    }
}

fn link(house: &House) -> String {
    let made = house.lines(&["session", "link"]);
    let link = made[0]["link"].as_str().expect("a link is made");
    between(&format!("{link}\n"), "link=", "\n")
}

fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from:?} in:\n{text}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("no {to:?} in:\n{rest}")).0.to_owned()
}

fn get(server: SocketAddr, path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nCookie: postroom={cookie}\r\nConnection: close\r\n\r\n")
}

fn post(server: SocketAddr, path: &str, cookie: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nOrigin: http://{server}\r\nCookie: postroom={cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    )
}

/// What comes back before the server hangs up, or dies.
fn ask(server: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(server).expect("the server takes us");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time-out");
    drop(stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}
