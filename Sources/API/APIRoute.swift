internal import HTTPServer

/// A path of ours and the methods it answers.
struct APIRoute: Sendable {
    enum Action: Sendable {
        case page, metrics, healthy, ready, reload, events
    }

    /// As the metrics and the 404 name it.
    let path: String
    let methods: [HTTPMethod]
    let action: Action

    static let all = [
        APIRoute(path: "/", methods: [.get, .head], action: .page),
        APIRoute(path: "/metrics", methods: [.get, .head], action: .metrics),
        APIRoute(path: "/-/healthy", methods: [.get, .head], action: .healthy),
        APIRoute(path: "/-/ready", methods: [.get, .head], action: .ready),
        APIRoute(path: "/-/reload", methods: [.post, .put], action: .reload),
        APIRoute(path: "/v1/events", methods: [.post], action: .events),
    ]

    /// What a network may see that is not trusted with more.
    static let open = all.filter { [.metrics, .healthy, .ready].contains($0.action) }

    var allow: String { methods.map(\.rawValue).joined(separator: ", ") }
}
