//! Which commands are on, and which settings are problems.

use talon_sdk::Clock;
use talon_simulators::enter_rest::Simulator;

use crate::world::{configure, still, texts};

#[tokio::test]
async fn commands_are_on_where_what_they_need_is_configured() {
    let sim = Simulator::start(still()).await.unwrap();
    let names = |more: &[(&str, &str)]| -> Vec<&'static str> {
        let (connector, problems) = configure(texts(&sim, more), Clock::System);
        assert_eq!(problems, []);
        connector.unwrap().commands().iter().map(|spec| spec.name).collect()
    };
    assert_eq!(names(&[]).len(), 21);
    let without_hall =
        [("auth.admin.login", ""), ("auth.admin.password", ""), ("feeds", "workplace")];
    assert_eq!(names(&without_hall).len(), 16);
    assert_eq!(names(&[("commands", "Book,EndBreak")]), ["EndBreak", "Book"]);
}

#[tokio::test]
async fn a_command_that_cannot_be_done_and_a_spelling_of_nothing_are_problems() {
    let sim = Simulator::start(still()).await.unwrap();
    let without_hall = [
        ("auth.admin.login", ""),
        ("auth.admin.password", ""),
        ("feeds", "workplace"),
        ("commands", "NewTicket"),
    ];
    for (more, expected) in [
        (&without_hall[..], "`auth.admin.login` is not set, and the command `NewTicket` needs it"),
        (&[("body.field.user", "u")], "`body.field.user` is of a field that is not sent"),
        (
            &[("auth.user.deputy.password", "")],
            "`auth.user.deputy.password` is not set, but the login is",
        ),
        (&[("commands", "Bok")], "has `Bok`"),
    ] {
        let (_, problems) = configure(texts(&sim, more), Clock::System);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.join("; ").contains(expected), "{problems:?}");
    }
}
