"""The node's HTTP(S) side: the API for the platform's own systems, and the place of the pages for people.

    listen.py     the socket, TLS, and uvicorn inside the node's own loop; imported only where [http] listen is set
    connection.py one connection: how long it may take to say what it wants
    bounds.py     one request: how large, how long, and what becomes of a failure
    problems.py   failures as RFC 9457 problems, in the reader's language
    app.py        the routes: /api/v1 stands below node/http/api/

Pages for people (HTML) belong into a package of their own, node/http/pages/, with a function `routes(node)` like that
of node/http/api/: app.py puts its routes behind those of the API. They are bounded like everything here, they ask the
node by the same `node.read` and questions (node/commands/questions.py), and bring no path that begins with /api/.
"""
