// The README's booking, by a client made from the OpenAPI document. Prints a line per booking.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

const [url, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url });

async function main(): Promise<void> {
  const doctors = await client.GET("/v1/doctors");
  const doctor: components["schemas"]["DoctorView"] = doctors.data!.items[0];
  const path = { doctor_id: doctor.id };
  const free = await client.GET("/v1/doctors/{doctor_id}/availability", { params: { path } });
  const slot = free.data!.days.flatMap((day) => day.slots)[0];
  for (const key of ["first", "second", "first"]) {
    const { data, error } = await client.POST("/v1/appointments", {
      params: { header: { "Idempotency-Key": `typescript-${key}`, Prefer: "wait=5" } },
      headers: { Authorization: `Bearer ${token}` },
      body: { doctor_id: doctor.id, starts_at: slot.starts_at, visit_type: "checkup" },
    });
    if (data === undefined) throw new Error(`${error.status} ${error.code}: ${error.detail}`);
    console.log(data.state, data.refusal?.reason ?? null, data.appointment_id);
  }
  const { error } = await client.GET("/v1/me");
  console.log(error!.code);
}

void main();
