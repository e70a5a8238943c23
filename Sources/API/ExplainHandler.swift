internal import Alerts
internal import Budgets
internal import Delivery
internal import HTTPServer
internal import Intake
internal import Usage

/// `GET /v1/explain?tenant=acme&model=gpt-4o`: the budgets that such a call counts against, and
/// why it does not count against the others. Nothing is counted by asking.
struct ExplainHandler: Sendable {
    let services: APIServices

    func explain(_ query: Query) throws(APIError) -> HTTPResponse {
        var values = try query.dimensions()
        let tenant = services.intake.defaultTenant
        if !values.contains(where: { $0.dimension == .tenant }), !tenant.isEmpty {
            values.insert((.tenant, tenant), at: 0)
        }
        let (budgets, recorder) = (services.budgets, services.deliverer.recorder)
        let explanation = Explanation(
            values, definitions: budgets.definitions, pauses: budgets.pauses
        ) { entry in
            budgets.status(of: entry.budget.name, scope: entry.scope.map(\.value))
        } receivers: {
            recorder.receivers(for: $0)
        }
        return .json(explanation.json)
    }
}

extension Query {
    /// Every parameter as the value of a dimension, each once.
    func dimensions() throws(APIError) -> [(dimension: Dimension, value: String)] {
        var values: [(dimension: Dimension, value: String)] = []
        for item in items {
            guard let dimension = Dimension(item.name) else {
                throw APIError(
                    status: 400, code: "unknown_parameter",
                    message: "\"\(item.name.prefix(100))\" is no dimension; there are "
                        + Dimension.fixed.map(\.description).joined(separator: ", ")
                        + " and tags.NAME")
            }
            guard item.value.utf8.count <= Limits.textBytes,
                !values.contains(where: { $0.dimension == dimension })
            else {
                throw APIError(
                    status: 400, code: "bad_parameter",
                    message: "\(dimension) is there twice or longer than \(Limits.textBytes) bytes")
            }
            if !item.value.isEmpty { values.append((dimension, item.value)) }
        }
        return values
    }
}
