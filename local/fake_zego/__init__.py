"""A stand-in for ZEGO's cloud: its server API, its room login, and its console.

It is an independent witness: it shares no code with the service's client for that server API.

==================================  ================================================================
`GET /?Action=...`                  server API v2; knows DescribeUserNum (`server_api`)
`POST /v1/rooms/login`              what a web client meets with a token (`room_login`)
`GET /console`                      the project: which secrets are accepted, what is wrong
`POST /console/reset`               a new ServerSecret, in the response as `server_secret`;
                                    with `{"keep_old": true}` the old ones stay accepted beside it
`POST /console/switch-off`          `{"fingerprint": "3fa9c01b22de"}` is accepted no more
`POST /console/accept-all`          every secret that the project ever had is accepted again
`POST /console/trouble`             what is wrong with the server API: `{"kind": "rate-limit"}`,
                                    `"gateway"`, `"bad-gateway"`, `"garbage"` or `"hang-up"`;
                                    `{"slow_seconds": 2}`; `{"clock_skew_seconds": 700}`, which is
                                    how far ZEGO's clock is ahead; `{}` ends all of it
==================================  ================================================================

Every response of the console is the project as `GET /console` shows it: fingerprints, no secret.
Its requests are JSON (`content-type: application/json`), and a page of another origin is refused,
so that no web site can reset anything here::

    curl -H 'content-type: application/json' -d '{"keep_old": true}' <url>/console/reset
"""

from __future__ import annotations

from local.fake_zego.cloud import Project, Trouble, TroubleKind, ZegoCloud

__all__ = ["Project", "Trouble", "TroubleKind", "ZegoCloud"]
