/**
 * A typed walk through the API: register, sign in, book, refresh, reschedule, cancel, hold a
 * consultation, and read errors by field and code.
 *
 *     node dist/walk.js http://127.0.0.1:8000
 */
import assert from "node:assert/strict";
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Tokens = components["schemas"]["Tokens"];
type Registration = components["schemas"]["RegistrationRequest"];

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8000";
const open = createClient<paths>({ baseUrl });
const unique = Date.now().toString(36);
const password = "a long sentence of one's own";

/** The data of a successful response; the body of an error becomes an exception. */
function data<T>(result: { data: { data: T }; error?: never } | { data?: never; error: unknown }): T {
  if (result.data === undefined) throw new Error(JSON.stringify(result.error));
  return result.data.data;
}

/** A client that signs in, and refreshes its tokens once for all requests that find them expired. */
async function signIn(username: string) {
  let tokens: Tokens = data(await open.POST("/api/auth/login/", { body: { username, password } }));
  let refreshing: Promise<Tokens> | undefined;

  async function refresh(): Promise<Tokens> {
    const result = await open.POST("/api/auth/refresh/", { body: { refresh: tokens.refresh } });
    // Another tab was first: it has stored the new tokens, and this one would read them there.
    if (result.error?.code === "refresh_superseded") throw new Error(result.error.message);
    return data(result);
  }

  const authorization: Middleware = {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access}`);
      return request;
    },
    async onResponse({ request, response }) {
      if (response.status !== 401 || request.method !== "GET") return response; // a body is used up
      tokens = await (refreshing ??= refresh().finally(() => (refreshing = undefined)));
      const again = new Request(request);
      again.headers.set("Authorization", `Bearer ${tokens.access}`);
      return fetch(again);
    },
  };
  const client = createClient<paths>({ baseUrl });
  client.use(authorization);
  return { client, expire: () => (tokens = { ...tokens, access: "expired" }) };
}

// 1. Register and sign in. An error names the fields.
async function register(username: string, of: Partial<Registration> & Pick<Registration, "user_type">) {
  const names = { username, first_name: username, last_name: unique, email: `${username}@example.com` };
  return open.POST("/api/auth/register/", { body: { ...names, password, ...of } });
}
const incomplete = await register(`jane-${unique}`, { user_type: "patient", email: "no address" });
assert.equal(incomplete.error?.code, "validation_error");
assert.ok(incomplete.error.errors.email?.length);

const jane = data(await register(`jane-${unique}`, { user_type: "patient" }));
assert.ok(jane.user_type === "patient");
assert.equal(jane.allergies, "");
const licence = { medical_license_number: `MD-${unique}`, specialization: "Cardiology" };
const john = data(await register(`john-${unique}`, { user_type: "doctor", ...licence }));
const patient = await signIn(jane.username);
const doctor = await signIn(john.username);

// 2. The doctor opens time slots, and the patient books the first.
const day = new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString().slice(0, 10);
const opened = data(
  await doctor.client.POST("/api/time-slots/create_bulk_slots/", {
    body: { date: day, start_time: "09:00:00", end_time: "11:00:00", slot_duration: 30 },
  }),
);
const [first, second, third] = opened.created;
assert.ok(first && second && third);
const booking = { time_slot: first.id, reason_for_visit: "Chest pain when climbing stairs" };
const booked = await patient.client.POST("/api/appointments/", {
  body: booking,
  headers: { "Idempotency-Key": `booking-${unique}` },
});
const appointment = data(booked);
assert.ok(appointment.allowed.includes("reschedule"));

// 3. The slot is taken now: the code tells so, and `details` proposes others.
const taken = await patient.client.POST("/api/appointments/", { body: booking });
assert.ok(taken.error?.code === "slot_taken");
assert.ok(taken.error.details.alternatives.some((one) => one.time_slot === second.id));

// 4. An expired access token is refreshed; requests at the same time wait for one refresh.
patient.expire();
const [upcoming, profile] = await Promise.all([
  patient.client.GET("/api/upcoming/"),
  patient.client.GET("/api/auth/profile/"),
]);
assert.equal(data(upcoming).results[0]?.id, appointment.id);
assert.equal(data(profile).id, jane.id);

// 5. Reschedule, but only the version that was read; then cancel.
const address = { params: { path: { id: appointment.id } } };
const version = booked.response.headers.get("ETag");
assert.ok(version);
const moved = data(
  await patient.client.POST("/api/appointments/{id}/reschedule/", {
    params: { ...address.params, header: { "If-Match": version } },
    body: { time_slot: third.id },
  }),
);
assert.equal(moved.start_time, third.start_time);
const stale = await patient.client.PATCH("/api/appointments/{id}/", {
  params: { ...address.params, header: { "If-Match": version } },
  body: { symptoms: "Shortness of breath" },
});
assert.equal(stale.error?.code, "stale_version");
const cancelled = data(await patient.client.POST("/api/appointments/{id}/cancel/", { ...address, body: {} }));
assert.equal(cancelled.status, "cancelled");
const again = await doctor.client.POST("/api/appointments/{id}/confirm/", { ...address, body: {} });
assert.ok(again.error?.code === "invalid_transition");
assert.ok(!again.error.details.allowed.includes("confirm"));

// 6. The patient comes without an appointment: a consultation with vital signs and a prescription.
const consultation = data(
  await doctor.client.POST("/api/consultations/", {
    body: { patient: jane.id, chief_complaint: "Chest pain" },
  }),
);
const path = { consultation: consultation.id };
await doctor.client.POST("/api/consultations/{consultation}/vital-signs/", {
  params: { path },
  body: { systolic_bp: 148, diastolic_bp: 92 },
});
const closed = data(
  await doctor.client.POST("/api/consultations/{id}/complete_consultation/", {
    params: { path: { id: consultation.id } },
    body: { diagnosis: "Essential hypertension" },
  }),
);
assert.equal(closed.status, "completed");
assert.equal(closed.vital_signs[0]?.systolic_bp, 148);
console.log(`Walked as ${jane.full_name}: appointment ${appointment.id}, consultation ${closed.id}.`);
