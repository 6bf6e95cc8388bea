// SPDX-License-Identifier: GPL-2.0-or-later

/// An endpoint of a slot.
struct XHCIEndpoint {
  var state = XHCIEndpointState.disabled
  var type = XHCIEndpointType.control
  /// The first block that is not done.
  var ring = XHCIRing()
  /// What a device has of it.
  var descriptor: XHCITransferDescriptor?
}

/// A slot that the driver has enabled: a device, as the controller knows it.
final class XHCISlot {
  /// Endpoints are numbered by their context: 1 is the control pipe, then OUT and IN of each number (xHCI 1.2, section
  /// 4.5.1).
  static let endpointCount = 32
  static let control = 1

  var state = XHCISlotState.enabled
  /// Where its device context is.
  var context: UInt64 = 0
  /// The port's number, from 1.
  var rootPort = 0
  /// The ports of the hubs behind it, four bits each, the first lowest.
  var route: UInt32 = 0
  /// What the device answers to.
  var address: UInt8 = 0
  let endpoints: UnsafeMutableBufferPointer<XHCIEndpoint>
  /// The endpoints that are to be looked at.
  var ready: UInt32 = 0

  init() {
    endpoints = .allocate(capacity: Self.endpointCount)
    endpoints.initialize(repeating: XHCIEndpoint())
  }

  deinit { endpoints.deinitialize().deallocate() }

  /// Where an endpoint's context is.
  func context(of endpoint: Int) -> UInt64 { context &+ UInt64(endpoint * XHCIContext.byteCount) }

  /// The number of an endpoint's context.
  static func index(of endpoint: USBEndpointAddress) -> Int {
    endpoint.number == 0 ? control : Int(endpoint.number) * 2 + (endpoint.isIn ? 1 : 0)
  }

  // MARK: State

  struct State: Codable, Equatable {
    struct Endpoint: Codable, Equatable {
      var index: Int
      var state: XHCIEndpointState
      var type: XHCIEndpointType
      var ring: XHCIRing
    }
    var number: Int
    var state: XHCISlotState
    var context: UInt64
    var rootPort: Int
    var route: UInt32
    var address: UInt8
    var endpoints: [Endpoint]
  }

  func save(number: Int) -> State {
    State(
      number: number, state: state, context: context, rootPort: rootPort, route: route, address: address,
      endpoints: endpoints.indices.filter { endpoints[$0].state != .disabled }.map { index in
        State.Endpoint(
          index: index, state: endpoints[index].state, type: endpoints[index].type,
          ring: endpoints[index].ring)
      })
  }

  convenience init(_ saved: State) {
    self.init()
    state = saved.state
    context = saved.context & ~63
    rootPort = min(max(saved.rootPort, 0), 0xFF)
    route = saved.route & 0xF_FFFF
    address = saved.address & 0x7F
    for endpoint in saved.endpoints where (1..<Self.endpointCount).contains(endpoint.index) {
      endpoints[endpoint.index] = XHCIEndpoint(
        state: endpoint.state, type: endpoint.type, ring: XHCIRing(pointer: endpoint.ring.pointer))
    }
  }
}
