"""A stand-in for ZEGO's cloud: its server API, its room login, and its console.

Its rooms know who is in them, but carry no audio and no video. It shares no code with the service's
client for that server API, so each checks the other.

==================================  ================================================================
`GET /?Action=...`                  server API v2: DescribeUserNum, KickoutUser and CloseRoom
                                    (`server_api`)
`POST /v1/rooms/login`              a web client's login to a room (`room_login`): a refusal, or
                                    `{"code": 0, "session": "...", "users": ["alice"]}`
`GET /v1/rooms/events?session=...`  the events of that client, as server-sent events (`rooms`)
`POST /v1/rooms/renew`              a new token of that client, `{"session": "...", "token": "..."}`
`POST /v1/rooms/logout`             ends its `{"session": "..."}`
`GET /console`                      shows the project: the accepted secrets, the users in each
                                    room, and the trouble
`POST /console/reset`               makes a new ServerSecret, in the response as `server_secret`;
                                    with `{"keep_old": true}` the old ones stay accepted
`POST /console/switch-off`          stops accepting `{"fingerprint": "3fa9c01b22de"}`
`POST /console/accept-all`          accepts every secret that the project ever had
`POST /console/trouble`             disturbs the server API: `{"kind": "rate-limit"}`,
                                    `"gateway"`, `"bad-gateway"`, `"garbage"` or `"hang-up"`;
                                    `{"slow_seconds": 2}`; `{"clock_skew_seconds": 700}`, which puts
                                    ZEGO's clock ahead; `{}` ends all trouble
==================================  ================================================================

Every response of the console contains the project as `GET /console` shows it: fingerprints, no
secrets. Requests must be JSON (`content-type: application/json`), and pages of other origins are
refused, so no web site can reset anything here::

    curl -H 'content-type: application/json' -d '{"keep_old": true}' <url>/console/reset
"""

from __future__ import annotations

from local.fake_zego.cloud import Project, Trouble, TroubleKind, ZegoCloud

__all__ = ["Project", "Trouble", "TroubleKind", "ZegoCloud"]
