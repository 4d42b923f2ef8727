//! Commands whose reply is lost.

use super::command::command;
use super::params::specs;
use super::report::{Property, Report};
use super::simulation::{Loss, Simulation};
use super::trial::{Trial, Trials};
use crate::{Answer, Applier, ApplyFault, Command, Evidence, Finding, Permit, Repeat};

/// Evidence goes to a topic with each command.
const LARGEST_EVIDENCE: usize = 4096;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for spec in specs(trials).await {
        for loss in [Loss::Before, Loss::After] {
            let trial = trials.begin().await;
            let Some(params) = trial.simulation.prepare(spec).await else { continue };
            let Ok(command) = command(trials.class, spec, &params) else { continue };
            let report = &mut trials.report;
            let Some(connector) = trial.connector(report) else { return };
            let Ok(applier) = connector.applier() else { continue };
            let place = format!("command `{}`, its reply lost {loss:?} its effect", spec.name);
            let attempt = Attempt { trial: &trial, applier: &*applier, command: &command };
            if let Err(what) = attempt.run(loss, &place, report).await {
                report.breach(Property::LostReply, place, what);
            }
            connector.close().await;
        }
        trials.report.checked.push(format!("command `{}`: both ways to lose a reply", spec.name));
    }
}

struct Attempt<'a, 't, S> {
    trial: &'a Trial<'t, S>,
    applier: &'a dyn Applier,
    command: &'a Command,
}

impl<S: Simulation> Attempt<'_, '_, S> {
    async fn run(&self, loss: Loss, place: &str, report: &mut Report) -> Result<(), String> {
        let Attempt { trial, applier, command } = self;
        let (simulation, spec) = (&trial.simulation, command.spec);
        let looked = applier.look(command).await;
        report.tell(format!("{place}, look"), format!("{looked:?}"));
        let before = looked.map_err(|fault| {
            format!("what the simulation prepared cannot be looked at: {fault:?}")
        })?;
        if before.0.len() > LARGEST_EVIDENCE {
            return Err(format!("{} bytes of evidence", before.0.len()));
        }
        let counts = || (simulation.sent(spec), simulation.done(spec));
        let (sent, done) = counts();
        self.without_leave(&before).await?;
        if counts() != (sent, done) {
            return Err("it is sent without leave".to_owned());
        }
        simulation.lose(spec, loss).await;
        let applied = self.apply(&before).await;
        report.tell(format!("{place}, apply"), format!("{applied:?}"));
        let (sent_now, done_now) = counts();
        if sent_now - sent != 1 {
            return Err(format!("it is sent {} times", sent_now - sent));
        }
        let effects = u64::from(loss == Loss::After);
        if done_now - done != effects {
            return Err(format!(
                "it had its effect {} times, and the simulation should have made it {effects}: is \
                 `lose` right?",
                done_now - done
            ));
        }
        match applied {
            Err(ApplyFault::Unclear(_)) => {}
            other => return Err(format!("it is not `Unclear` but {other:?}")),
        }
        if spec.repeat == Repeat::Always {
            return Ok(());
        }
        let found = applier.probe(command, &before, simulation.clock().now_ms()).await;
        report.tell(format!("{place}, probe"), format!("{found:?}"));
        let found = found.map_err(|fault| format!("it cannot be read back: {fault}"))?;
        let is_wrong = match loss {
            Loss::Before => matches!(found, Finding::Applied(_)),
            Loss::After => found == Finding::Absent,
        };
        if is_wrong {
            return Err(format!("the finding is wrong: {found:?}"));
        }
        if counts() != (sent_now, done_now) {
            return Err("it is sent again by reading back".to_owned());
        }
        if found == Finding::Absent {
            self.again(&before, done_now).await?;
        }
        Ok(())
    }

    /// As the runtime does after `Absent`: it looks again, and sends.
    async fn again(&self, before: &Evidence, done: u64) -> Result<(), String> {
        let looked = self.applier.look(self.command).await;
        let before = looked.unwrap_or_else(|_| before.clone());
        let applied = self.apply(&before).await;
        let now = self.trial.simulation.done(self.command.spec);
        match applied {
            Ok(_) if now - done == 1 => Ok(()),
            Ok(_) => Err(format!("sent again, it had its effect {} times", now - done)),
            Err(fault) => Err(format!("found absent, it cannot be sent again: {fault:?}")),
        }
    }

    async fn apply(&self, before: &Evidence) -> Result<Answer, ApplyFault> {
        self.applier.apply(self.command, before, &Permit::always()).await
    }

    async fn without_leave(&self, before: &Evidence) -> Result<(), String> {
        match self.applier.apply(self.command, before, &Permit::new(|| false)).await {
            Err(ApplyFault::NotApplied(_)) => Ok(()),
            other => Err(format!("without leave it is not `NotApplied` but {other:?}")),
        }
    }
}
