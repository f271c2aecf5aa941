// What a web client would write: typed by the documents of both services, compiled with --strict, run by the test.
import createClient from "openapi-fetch";

import type { components, paths as AppPaths } from "./app.js";
import type { components as inferenceComponents, paths as InferencePaths } from "./inference.js";

declare const process: { argv: string[] };

type ErrorDetail = components["schemas"]["ErrorDetail"];
type StreamError = inferenceComponents["schemas"]["ErrorDetail"];

const [, , appUrl, inferenceUrl, token, sessionId] = process.argv as [string, string, string, string, string, string];
const headers = { Authorization: `Bearer ${token}` };
const app = createClient<AppPaths>({ baseUrl: appUrl, headers });
const inference = createClient<InferencePaths>({ baseUrl: inferenceUrl, headers });

function failed(error: ErrorDetail | undefined): [string, string, string] {
  if (error === undefined) throw new Error("no error");
  const requestId: string = error.metadata.request_id;
  return [error.code, error.detail, requestId];
}

const path = { params: { path: { session_id: sessionId } } };
const saved = await app.PUT("/sessions/{session_id}/metadata", { ...path, body: { title: "Rome" } });
const listed = await app.GET("/sessions", { params: { query: { limit: 10 } } });
const titles: string[] = (listed.data?.sessions ?? []).map((session) => session.title);

const absent = await app.GET("/sessions/{session_id}/metadata", { params: { path: { session_id: "absent" } } });
const invalid = await app.GET("/sessions", { params: { query: { limit: 0 } } });

const turn = await inference.POST("/invocations", {
  body: { session_id: sessionId, message: "hi", model_id: "gpt-priced" },
  parseAs: "text",
});
const stream: string | undefined = turn.data;
const refused = await inference.POST("/invocations", { body: { session_id: "not an id", message: "hi" }, parseAs: "text" });
const refusal: StreamError | undefined = refused.error;

console.log(
  JSON.stringify({
    title: saved.data?.title,
    titles,
    stream,
    absent: failed(absent.error),
    invalid: [invalid.error?.field, invalid.error?.metadata.errors?.map((one) => one.field)],
    refused: failed(refusal),
  }),
);
