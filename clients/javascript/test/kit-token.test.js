import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { kitToken } from "../token-source.js";

const issued = { token: "04AAAAAGVT", appId: 1234567890, userId: "alice", roomId: "room" };

/** Reads a kit token as UIKit does: bytes as characters, and the name as part of a URL. */
function readAsUIKit(text) {
  const [token, details] = text.split("#");
  const { userName, ...rest } = JSON.parse(atob(details));
  return { token, userName: decodeURIComponent(userName), ...rest };
}

suite("a kit token", () => {
  test("equals that of UIKit's own generator", () => {
    // window.btoa(JSON.stringify({ userID, roomID, userName: encodeURIComponent(userName), appID }))
    assert.equal(
      kitToken(issued, { userName: "Alice Ångström" }),
      "04AAAAAGVT#eyJ1c2VySUQiOiJhbGljZSIsInJvb21JRCI6InJvb20iLCJ1c2VyTmFtZSI6IkFsaWNlJTIwJUMzJTg1bmdzdHIl" +
        "QzMlQjZtIiwiYXBwSUQiOjEyMzQ1Njc4OTB9",
    );
  });

  for (const userName of ["", "Ångström", "王小明", "👩‍🚀 & friends #1", '"\\/%41+ \u0000\n']) {
    test(`keeps the name ${JSON.stringify(userName)}`, () => {
      const read = readAsUIKit(kitToken(issued, { userName }));
      assert.deepEqual(read, {
        token: "04AAAAAGVT",
        userID: "alice",
        roomID: "room",
        userName,
        appID: 1234567890,
      });
    });
  }

  test("has an empty name if none is given", () => {
    assert.equal(readAsUIKit(kitToken(issued)).userName, "");
  });

  test("replaces half an emoji in a name", () => {
    const userName = "Alice 👩".slice(0, 7);
    assert.equal(readAsUIKit(kitToken(issued, { userName })).userName, "Alice \ufffd");
  });

  test("keeps ids with any characters unchanged", () => {
    const read = readAsUIKit(kitToken({ ...issued, userId: "a#é王👩", roomId: "r#ü" }));
    assert.deepEqual([read.userID, read.roomID], ["a#é王👩", "r#ü"]);
  });

  test("needs a roomId if it is made from an identity token", () => {
    const identity = { ...issued, roomId: null };
    assert.equal(readAsUIKit(kitToken(identity, { roomId: "lobby" })).roomID, "lobby");
    assert.throws(() => kitToken(identity), TypeError("the token names no room: pass roomId"));
  });
});
