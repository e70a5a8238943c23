internal import HTTPServer

/// What came of reading the configuration again.
public enum ReloadOutcome: Sendable {
    /// It is in force, but for these keys, which have changed and take effect at the next start.
    case done(atNextStart: [String])
    /// What is wrong with it; nothing of it is in force.
    case refused(String)

    var response: HTTPResponse {
        switch self {
        case .done(let keys):
            var text = "the configuration was read again\n"
            for key in keys { text += "\(key) has changed and takes effect at the next start\n" }
            return .text(200, text)
        case .refused(let fault):
            return APIError(status: 500, code: "reload_failed", message: fault).response
        }
    }
}
