/**
 * The public halves of the keys with which releases of this project are signed, as verifier keys of
 * c2sp.org/signed-note. The private halves are its maker's and nowhere in the repository. Whoever builds
 * a release of their own signs with their own keys and replaces these.
 */

import type { VerifierKeys } from './signed-note.ts'

export const releaseName = 'keyhold-release'

export const releaseKeys: VerifierKeys = [
  'keyhold-release+dc198769+ATbwXzDHEvXJR3mjll5r5YzpjEC76IYCMhImitJ8G3f2',
  'keyhold-release+486ce4ed+/2tleWhvbGQvbWwtZHNhLTY1AYJUIHCVsgwDmzy6F9KifsfpOEciTLC1SR3' +
    'ImgKAm5ZaPyu6sciBtmCxN4p9Dhy9PJzYXKVvRixFcexkmwYVgHr93YdJA2qIlhjLVskvVWF+nSVLmh1HOyC' +
    'QUkmtyvKj/gux1OjE2bmPLs498Y3R9kU9ReldgqPUx3trQwZSiWGwA7RN3v/gqmOBhFK80z0M6RojAppk5Y4' +
    'ZnKtRQjj1Zc12V9azRDcKAflTHqqlOg6scZ+g0CrkiXoxXrDlX6VPoPEhGLvnDtagok1yBZZm5JoEbQKeoxv' +
    'GEopQxviJkltHUf/tQRrZk5IfGn+ypWAG3Yl9g+t/IdE1UTBJ/yBp/1NOpUgsrKZqHYg8MJD0LNxRR18CK6d' +
    'nK1oIwTOv2pm7JI7sO7SJ1CIjAvYsb2YQTFRWf8JF4R9nQqvGzMrWwDrdFDj4972JEe9bqBjd0ob8MQfLu1E' +
    'gLePsQvOGdGidP/f1A8RFzLnsGnuuhFK29esf+Ndq0arcc/T8re8p6fXMV2+Ku0lve4maZadC1jxacpA6jwe' +
    'mavP1Zqf4QOnfPgC7/XxgZGcqZ/bM0S6FM23w11nFdtUUXBZz3qRtGdW+ZIUHeV/eg0CkCMhl4jdMPzzl64g' +
    '6Uj4hEKQhslNeC3G9ZAWOrc8d1FnM4ziaIrZp0tqFK7k4w4aQjlmgOhrpyWBqDksLr7loEOvstG+2OAVkvnT' +
    'XGgh+h7EVCuTMcvAL6GwMEdyA5nlUiVNbCBuZRUlM3Ul0NqHYkJSiE1jPm5JcESNsYeNNqac9TDTrxoebNON' +
    '01m9wcNv7WKbofxu6Oqm1L51K3NF11ln5uXbP7V4fqP4WWaLZG0f+RvoIFeZdIoJrWuBkycW/MBimrPXLKjA' +
    'sym3bVDXAiBNUr0GLgw1WcNOTqDVYnHPgOOYvlWQJQuncH//fDQpT980/LF+twM0Qc1fvrHd3zAY2r5X3WaB' +
    'X05gWxELqMi0u8ONGr47EJBopdkirnR8fNUhhJ8P0QCL+XNi019wRxWt6BIrAtJEkyeu8zPSg+v1Chvwv+og' +
    'fxSrkOruF8wR4kelTH4VKSrErC0zEGROUWtXFHLPMFDjhsIAHoz6d2fOXilbWTt7Oo/ugVkO8AMrUzKY+ZrD' +
    '1TTgdYME2Ew5vDKU1ZjKFD3Ik6bhwXNgGqzPMwIh04Rm7q2MTtcqtt/8+kp+3PIG7lRPvjyyycWI1++aQ+zv' +
    'n4vsiGvH3rtnLkVSo8X2yG3vFqPXdTQuF75S81c9jXiYSBON0KDquK+xaVEc3OBwqFy6bmn4xBJQu7rs2yF8' +
    '6Mbd9vbLbTcq3IXGESPbI2YvlfiuXzMIajQVVMF5cjOh2cSDouRPAh4YBkUAqAxCk872Q5aai0jTFNMsSpBm' +
    'lFqgDGpFO6KBFwffwFk/fh47+5xXCga36bvEZlLqvq5s4ruw1BH6UDu7mN1Etmx7UXh8V8Bm5TBq7hbyEuG3' +
    'PBecP54BgIUVNMMlhDlPnISQ0gn3j13OBt9mHo7Y6cG+6ZWn6gS/XDWiMjzUVZZvLJpXpZS6UjSsqrHQy5oP' +
    'SglZPRqknzrp+fsqlP3N4h1nDkLrtHTQqpJt29s7fD5NryMOMomgB5JoXQX8RvskM/wp6ZHhne9Fe0mYJiVP' +
    '1etz9qxX/Wv1Aa4aET10NKj/+gx2QanGux+VdJtV2rVwzf6fARG1lhSqOkEIPcBl3jq0f36ZjWDNZ8K1JXJa' +
    'IRC3h7jGGW0jSOLnOMJ0kF/JgNF1KDFOlJa2y82/9e19p781GJ9WyxQoOJKNlvFtQ6+qbOYyLpmUzNYR9JqF' +
    'PjimWdL1p8aGJPwj2S0NAfZL0jL5t7Na//CE5IydQkm2cZ6MMth9wtLScQ2bU6WreykzY3qTwLsFfcki1sCt' +
    'CrfdmXT+kSfiCvVufUV9jt+92nVINVV/8xpHOHUygzkqIjev5UYITq0C311HFnBB4B0eiy3oMeJdB4isKgdX' +
    'tptH/m3tjZPlt6mpqTB4y6UxEsd8Ba6g5HljysXhyKG6mgMNEkEr/rgTg2UxmRIdC1ADOSICbhJYs6Dzk0ji' +
    'ioThnEQ8hZTgY1tjEOKu9bUpzoVTwurEkqm6mqtrWp/5WnvR7hLcl6IeXm9XcfzDQqoHVRwXIDDm4i0OWgrh' +
    'PVBU3HdtsRwdMcSeriJmX7o09tpJVP1PvjNFR10ZqizPwpmCV4+cSlfFA/f1OThPnlRbjbuwY07uxTlEQUH7' +
    'ORWyolU/g6YrVUT7Fr16iAJpV1ZTxagMQPM/XsqqA4gIi+Hm+9d3JunmjHhehPKcQlZsOQr+M5IV0gUzMbKu' +
    'CbGd89XS4DduLYFJ9BaZWzBfxIC0wFBGjzD2gUq8l6RZb3mgLUxEh8ewAMNYOYEJRc9cAHTjJE/GV3A0m6pq' +
    'PspUcuMH/MlItny3HO4tNHIjuUL8gIqTLVgXDP6wlbE1ME4Km7oSKERicpIAHE3thHxF0QbIQvjJFsxCAStQ' +
    'LVdQ3p1X8xdqoVkdOPLBk5AwaJyCxYy4oI3ozhWyAxGlJ1Ul0zMqIsjAj4NWeskCMx725KANf1sKzBCbr+La' +
    'ct6FonoIo0hhNGooazAt+WZXYg0N0v4u92kGiDMsWBfUfjzo=',
]
