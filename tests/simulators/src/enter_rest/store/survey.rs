//! Surveys at devices.

use super::Store;
use super::model::Refusal;
use crate::enter_rest::world::QUESTIONS;

impl Store {
    /// The place of a device.
    pub(in super::super) fn device(&self, client_id: &str) -> Result<usize, Refusal> {
        let place = self.devices.iter().position(|device| device.client_id == client_id);
        place.ok_or(Refusal::new(404, "Пульт не найден"))
    }

    /// POST survey/:clientId/begin
    pub(in super::super) fn begin_survey(&mut self, device: usize) -> Result<(), Refusal> {
        if self.devices[device].asks.is_some() {
            return Err(Refusal::new(409, "Опрос уже идёт"));
        }
        let id = self.id();
        self.devices[device].asks = Some((id.clone(), 0));
        let client_id = self.devices[device].client_id.clone();
        self.note("survey_begin", &client_id, &id);
        Ok(())
    }

    /// POST survey/:clientId/answer
    pub(in super::super) fn answer(&mut self, device: usize) -> Result<(), Refusal> {
        let of = &mut self.devices[device];
        let Some((id, question)) = &mut of.asks else {
            return Err(Refusal::new(409, "Нет активного опроса"));
        };
        let answered = format!("{id}/{question}");
        *question += 1;
        if *question == QUESTIONS.len() {
            (of.asks, of.last) = (None, Some("completed"));
        }
        let client_id = of.client_id.clone();
        self.note("survey_answer", &client_id, &answered);
        Ok(())
    }

    /// POST survey/:clientId/end
    pub(in super::super) fn end_survey(&mut self, device: usize) -> Result<(), Refusal> {
        let of = &mut self.devices[device];
        let Some((id, _)) = of.asks.take() else {
            return Err(Refusal::new(409, "Нет активного опроса"));
        };
        of.last = Some("aborted");
        let client_id = of.client_id.clone();
        self.note("survey_end", &client_id, &id);
        Ok(())
    }
}
