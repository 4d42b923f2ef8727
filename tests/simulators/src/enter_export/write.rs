//! Tickets as the two methods show them at a moment.

use std::fmt::Write;

use super::life::{Product, Step, Ticket};
use super::settings::Settings;
use super::world::{Branch, SECOND, World};
use crate::noise;

/// Which of the two methods asks, and what it may see.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) history: bool,
    pub(super) fields: bool,
    /// The branch's clock.
    pub(super) now: i64,
    /// Shows the ticket in a state that the document does not know.
    pub(super) unknown_state: bool,
    /// Makes the identifier a number.
    pub(super) undecodable: bool,
    /// With a field that the document does not have.
    pub(super) extended: bool,
}

impl View {
    /// With history and without data fields, as the document says, by this clock of the branch.
    pub(super) fn documented(now: i64, settings: &Settings) -> View {
        View {
            history: true,
            fields: false,
            now,
            unknown_state: false,
            undecodable: false,
            extended: settings.noise > 0.0,
        }
    }
}

/// Appends a ticket; `false` where it does not exist yet.
pub(super) fn ticket(
    world: &World,
    branch: &Branch,
    ticket: &Ticket,
    view: View,
    out: &mut String,
) -> bool {
    if ticket.created > view.now {
        return false;
    }
    let json = Json { world, branch, view };
    let start = out.len();
    // Writing to a string cannot fail.
    let is_written = json.ticket(ticket, out).is_ok();
    if view.extended {
        let extended = noise::extended(&out[start..]);
        out.replace_range(start.., &extended);
    }
    is_written
}

struct Json<'a> {
    world: &'a World,
    branch: &'a Branch,
    view: View,
}

impl Json<'_> {
    fn ticket(&self, ticket: &Ticket, out: &mut String) -> std::fmt::Result {
        let products: Vec<(&Product, Vec<&Step>)> = ticket
            .products
            .iter()
            .map(|product| {
                let steps = product.steps.iter().filter(|step| step.at <= self.view.now);
                (product, steps.collect::<Vec<_>>())
            })
            .filter(|(_, steps)| !steps.is_empty())
            .collect();
        let state = state_of(products.iter().filter_map(|(_, steps)| Some(steps.last()?.state)));
        if self.view.undecodable {
            write!(out, "{{\"Id\":17")?;
        } else {
            write!(out, "{{\"Id\":\"{}\"", ticket.id)?;
        }
        write!(out, ",\"Number\":\"{}\",\"State\":{state}", ticket.number)?;
        let created = if self.view.history { "CreatedTime" } else { "Created" };
        write!(out, ",\"{created}\":\"{}\"", Local(ticket.created))?;
        if self.view.history {
            write!(out, ",\"Source\":")?;
            self.source(ticket.source, out)?;
            if let Some((at, source)) = ticket.activation
                && at <= self.view.now
            {
                write!(out, ",\"Activation\":{{\"ActivationTime\":\"{}\",\"Source\":", Local(at))?;
                self.source(source, out)?;
                out.push('}');
            }
        } else {
            write!(out, ",\"SourceId\":\"{}\"", self.world.sources[ticket.source].id)?;
        }
        out.push_str(",\"Products\":[");
        for (place, (product, steps)) in products.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            if self.view.history {
                self.product_with_history(product, steps, out)?;
            } else {
                self.product(product, steps, out)?;
            }
            if self.view.fields && product.has_fields {
                self.fields(product, out)?;
            }
            out.push('}');
        }
        out.push_str("]}");
        Ok(())
    }

    fn state(&self, steps: &[&Step]) -> i64 {
        if self.view.unknown_state { 11 } else { steps.last().map_or(0, |step| step.state) }
    }

    fn product(&self, product: &Product, steps: &[&Step], out: &mut String) -> std::fmt::Result {
        let service = &self.world.services[product.service];
        write!(
            out,
            "{{\"Id\":\"{}\",\"IsPending\":{},\"ProductId\":\"{}\",\"ProductIntegrationId\":\"{}\",\
             \"Name\":{},\"Created\":\"{}\",\"StartTime\":\"{}\",\"State\":{},\
             \"AwaitingDuration\":{},\"OperatingDuration\":{}",
            product.id,
            product.booked,
            service.id,
            service.integration_id,
            service.name,
            Local(product.created()),
            Local(product.starts),
            self.state(steps),
            seconds(steps, 3),
            seconds(steps, 5),
        )
    }

    fn product_with_history(
        &self,
        product: &Product,
        steps: &[&Step],
        out: &mut String,
    ) -> std::fmt::Result {
        let service = &self.world.services[product.service];
        write!(
            out,
            "{{\"Id\":\"{}\",\"IsPending\":{},\"Product\":{{\"Id\":\"{}\",\"Name\":{},\
             \"IntegrationId\":\"{}\"}},\"CreatedTime\":\"{}\",\"State\":{}",
            product.id,
            product.booked,
            service.id,
            service.name,
            service.integration_id,
            Local(product.created()),
            self.state(steps),
        )?;
        for (name, state) in
            [("InQueueStartTime", 3), ("InvitedStartTime", 4), ("OperatingStartTime", 5)]
        {
            if let Some(step) = steps.iter().find(|step| step.state == state) {
                write!(out, ",\"{name}\":\"{}\"", Local(step.at))?;
            }
        }
        if let Some(last) = steps.last() {
            if matches!(last.state, 1 | 7 | 8 | 9 | 10 | 14 | 17) {
                write!(out, ",\"EndTime\":\"{}\"", Local(last.at))?;
            }
            self.desk(last, out)?;
        }
        write!(
            out,
            ",\"AwaitingDuration\":{},\"OperatingDuration\":{},\"History\":[",
            seconds(steps, 3),
            seconds(steps, 5)
        )?;
        for (place, step) in steps.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(
                out,
                "{comma}{{\"Id\":\"{}\",\"State\":{},\"OperationTime\":\"{}\"",
                step.id,
                step.state,
                Local(step.at)
            )?;
            self.desk(step, out)?;
            out.push('}');
        }
        out.push(']');
        Ok(())
    }

    fn desk(&self, step: &Step, out: &mut String) -> std::fmt::Result {
        let Some(desk) = step.desk else { return Ok(()) };
        let operator = &self.branch.operators[desk];
        write!(
            out,
            ",\"Workplace\":{{\"Id\":\"{}\",\"Name\":\"Окно {}\",\"ClientId\":\"window{:02}\"}},\
             \"User\":{{\"Id\":\"{}\",\"Login\":\"{}\",\"Name\":\"{}\",\"SurName\":\"{}\"}}",
            self.branch.workplaces[desk],
            desk + 1,
            desk + 1,
            operator.id,
            operator.login,
            operator.name,
            operator.surname
        )
    }

    fn source(&self, source: usize, out: &mut String) -> std::fmt::Result {
        let source = &self.world.sources[source];
        write!(
            out,
            "{{\"Id\":\"{}\",\"Name\":\"{}\",\"Type\":{}}}",
            source.id, source.name, source.kind
        )
    }

    /// The identifiers of values are the same in all tickets, as in the document's samples.
    fn fields(&self, product: &Product, out: &mut String) -> std::fmt::Result {
        let operator = &self.branch.operators[product.service % self.branch.operators.len()];
        write!(
            out,
            ",\"Fields\":[{{\"Id\":\"6583772e-7a18-4320-b70c-e906ecee4979\",\
             \"FieldTypeId\":\"c302b047-6828-47b2-a963-521f369371b7\",\"Name\":\"Фамилия\",\
             \"Value\":\"{}\"}},{{\"Id\":\"a91e7e5f-2e08-4853-b05d-e99182b71e9b\",\
             \"FieldTypeId\":\"02a5d8fc-16a4-48a8-b389-9c145f544901\",\"Name\":\"Телефон\",\
             \"Value\":\"+7922{:07}\"}}]",
            operator.surname,
            product.starts / SECOND % 10_000_000
        )
    }
}

/// The state of a ticket from those of its services.
fn state_of(states: impl Iterator<Item = i64>) -> i64 {
    let states: Vec<i64> = states.collect();
    let any = |of: &[i64]| states.iter().any(|state| of.contains(state));
    if any(&[4, 5]) {
        2
    } else if any(&[3, 6, 12]) {
        1
    } else if !states.is_empty() && states.iter().all(|state| *state == 0) {
        0
    } else {
        3
    }
}

/// How long a product was in a state, with the noise of sums of binary fractions.
fn seconds(steps: &[&Step], state: i64) -> f64 {
    let stays = steps.windows(2).filter(|pair| pair[0].state == state);
    stays.map(|pair| (pair[1].at - pair[0].at) as f64 * 1e-7).sum()
}

/// Local time as the upstream writes it: no zone, and no zeros at the end of the fraction.
struct Local(i64);

impl std::fmt::Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, fraction) = (self.0.div_euclid(SECOND), self.0.rem_euclid(SECOND));
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if fraction > 0 {
            let digits = format!("{fraction:07}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// Year, month and day of days since 1970 (Howard Hinnant's `civil_from_days`): a date of the
/// library for each of a hundred stamps of a ticket would be most of the time of a reply.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
