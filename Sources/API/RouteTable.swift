internal import HTTPServer

/// The routes of one listener: those without braces by their text, the others one by one.
struct RouteTable: Sendable {
    let routes: [APIRoute]
    private let exact: [String: Int]
    private let patterns: [Int]

    static let everything = RouteTable(APIRoute.all)

    init(_ routes: [APIRoute]) {
        self.routes = routes
        var exact: [String: Int] = [:]
        var patterns: [Int] = []
        for (index, route) in routes.enumerated() {
            if route.path.utf8.contains(UInt8(ascii: "{")) {
                patterns.append(index)
            } else {
                exact[route.path] = index
            }
        }
        self.exact = exact
        self.patterns = patterns
    }

    func find(_ path: String) -> Int? {
        exact[path] ?? patterns.first { routes[$0].match(path) != nil }
    }
}
