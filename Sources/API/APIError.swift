internal import HTTPServer
internal import Wire

/// A refusal, in the one shape that all errors have: `{"error": {"code": ..., "message": ...}}`.
struct APIError: Error {
    let status: Int
    let code: String
    let message: String
    var headers: [(name: String, value: String)] = []
    /// Further members of the error object, already JSON: `"offset":12`.
    var members = ""

    var response: HTTPResponse {
        var body: [UInt8] = []
        body.append("{\"error\":{\"code\":" as StaticString)
        body.appendJSONString(code)
        body.append(",\"message\":" as StaticString)
        body.appendJSONString(message)
        if !members.isEmpty {
            body.append(UInt8(ascii: ","))
            body.append(members)
        }
        body.append("}}\n" as StaticString)
        return HTTPResponse(
            status: status, contentType: "application/json", headers: headers, body: body)
    }
}

extension HTTPResponse {
    static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}
