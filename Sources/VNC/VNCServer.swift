// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import EventLoop
import Glibc
import Logging

/// Shows the guest's screen to VNC viewers and browsers, and brings their keys and pointer to the guest.
///
/// A thread of its own (`vnc-net`) owns all sockets; a second one (`vnc-screen`), started by the first viewer,
/// owns libvncserver. Neither ever waits for a viewer, and the machine waits for neither.
public final class VNCServer: @unchecked Sendable {
  // Unchecked: `thread`, `isStopped` and `listeners` are guarded by `stateLock`.

  /// Where viewers connect.
  public struct Place: Equatable, Sendable {
    public let address: VNCConfiguration.Address
    /// The TCP port; nil for what has none.
    public let port: Int?
  }

  /// What it was made from.
  public let configuration: VNCConfiguration
  /// The TCP port viewers connect to; nil for a Unix socket.
  public let port: Int?
  /// The TCP port of the browser console, if there is one.
  public let webPort: Int?

  private let screen: ScreenService
  private let network: Network
  private let password: Password
  private let log: Logger
  private let stateLock = MachineLock()
  private var thread: ServiceThread?
  private var isStopped = false
  private var listeners: [(place: Place, listener: Listener)] = []

  /// Opens the server's sockets; viewers are served from ``start()`` on. Called with the machine's lock held, or
  /// before the machine runs.
  /// - Parameters:
  ///   - surface: the screen.
  ///   - source: what draws it; asked to about 30 to 60 times a second while a viewer waits for changes.
  ///   - input: where keys and pointer go.
  ///   - loop: the machine's event loop.
  ///   - name: the guest's name, which viewers show.
  ///   - onViewer: told what viewers do, on a thread of the server's.
  public init(
    configuration: VNCConfiguration, surface: DisplaySurface, source: any DisplaySource, input: InputRouter,
    loop: EventLoop, name: String = "Martlet", log: Logger = Logger(label: "martlet.vnc"),
    onViewer: @escaping @Sendable (ViewerFacts, ViewerEvent) -> Void = { _, _ in }
  ) throws(VNCError) {
    self.configuration = configuration
    self.log = log
    password = Password()
    if let path = configuration.passwordFile {
      let text = try Password.read(path)
      password.set(text)
      if text.utf8.count > Password.significantCount {
        log.warning("VNC uses only the first \(Password.significantCount) bytes of a password")
      }
    }
    let rfb: RFBFunctions
    switch RFBLibrary.functions {
    case .success(let functions): rfb = functions
    case .failure(let error): throw .libraryMissing(error.description)
    }
    do throws(HostError) {
      screen = try ScreenService(
        rfb: rfb, configuration: configuration, name: name, surface: surface,
        refresh: RefreshRequest(source: source, loop: loop), input: input, password: password, log: log,
        onViewer: onViewer)
      network = try Network(configuration: configuration, screen: screen, log: log)
    } catch { throw .host(error) }

    var listeners: [Listener] = []
    do throws(VNCError) {
      port = try Self.listen(configuration, network: network, listeners: &listeners)
      webPort = try Self.listenForBrowsers(configuration, network: network, port: port, listeners: &listeners)
    } catch {
      for index in listeners.indices { listeners[index].close() }
      screen.stop()
      throw error
    }
    self.listeners = listeners.first.map { [(Place(address: configuration.address, port: port), $0)] } ?? []
    surface.addListener(screen.tracker)
  }

  /// Begins to load what servers need, on a thread of its own, so that it is there when one is made.
  public static func loadAhead() {
    // Without the thread, the server loads it itself.
    _ = try? ServiceThread(name: "vnc-load") { _ = RFBLibrary.functions }
  }

  /// Opens the viewers' sockets.
  /// - Returns: the TCP port.
  private static func listen(
    _ configuration: VNCConfiguration, network: Network, listeners: inout [Listener]
  ) throws(VNCError) -> Int? {
    let listener: Listener
    if let opened = try Self.listener(at: configuration.address, configuration) {
      listener = opened
    } else if case .descriptor(let descriptor) = configuration.address {
      var isListening: Int32 = 0
      var count = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &count) == 0 else {
        throw .host(HostError("cannot use file descriptor \(descriptor) for VNC"))
      }
      guard isListening != 0 else {
        network.adopt(descriptor)
        return nil
      }
      listener = .passed(descriptor)
    } else {
      return nil
    }
    listeners.append(listener)
    do throws(HostError) { try network.add(listener, isBrowser: false) } catch { throw .host(error) }
    return listener.port
  }

  /// Listens on an address; nil for a descriptor, which is listening already.
  private static func listener(at address: VNCConfiguration.Address, _ configuration: VNCConfiguration)
    throws(VNCError) -> Listener?
  {
    switch address {
    case .tcp(let host, let port):
      try .tcp(
        host: host, port: port, lastPort: configuration.lastPort, isProtected: configuration.needsPassword)
    case .unix(let path): try .unix(path: path)
    case .descriptor: nil
    }
  }

  // MARK: Moving

  /// Where viewers connect now.
  public var places: [Place] {
    let open = stateLock.withLock { listeners.map(\.place) }
    return open.isEmpty ? [Place(address: configuration.address, port: port)] : open
  }

  /// Listens on these addresses instead; viewers that are connected stay. If one cannot be had, all stays as it was.
  public func listen(at addresses: [VNCConfiguration.Address]) throws(VNCError) {
    let known = stateLock.withLock { listeners }
    var new: [(place: Place, listener: Listener)] = []
    var opened: [Listener] = []
    var addedCount = 0
    do throws(VNCError) {
      for address in addresses {
        if let kept = known.first(where: { $0.place.address == address }) {
          new.append(kept)
        } else if let listener = try Self.listener(at: address, configuration) {
          opened.append(listener)
          new.append((Place(address: address, port: listener.port), listener))
        }
      }
      try network.loop.lock.withLock { () throws(VNCError) in
        for listener in opened {
          addedCount += 1
          do throws(HostError) { try network.add(listener, isBrowser: false) } catch { throw .host(error) }
        }
      }
    } catch {
      // What the network has it closes.
      network.loop.lock.withLock { network.remove(Array(opened.prefix(addedCount))) }
      for index in opened.indices.dropFirst(addedCount) { opened[index].close() }
      throw error
    }
    let gone = known.filter { old in !addresses.contains(old.place.address) }.map(\.listener)
    network.loop.lock.withLock { network.remove(gone) }
    stateLock.withLock { listeners = new }
  }

  /// Opens the browser console's sockets.
  /// - Returns: its TCP port.
  private static func listenForBrowsers(
    _ configuration: VNCConfiguration, network: Network, port: Int?, listeners: inout [Listener]
  ) throws(VNCError) -> Int? {
    guard let web = configuration.webSocket else { return nil }
    var host = web.host
    if host == nil, case .tcp(let own, _) = configuration.address { host = own }
    // QEMU's rule: display N has its WebSocket at port 5700 + N.
    let wanted = web.port ?? (port.map { $0 >= 5900 ? $0 - 200 : 0 } ?? 0)
    let last = web.port == nil ? configuration.lastPort.map { $0 - 200 } : nil
    let listener = try Listener.tcp(
      host: host, port: wanted, lastPort: last, isProtected: configuration.needsPassword)
    listeners.append(listener)
    do throws(HostError) { try network.add(listener, isBrowser: true) } catch { throw .host(error) }
    return listener.port
  }

  /// Begins to serve viewers.
  public func start() throws(VNCError) {
    do throws(HostError) {
      try stateLock.withLock { () throws(HostError) in
        guard thread == nil, !isStopped else { return }
        thread = try ServiceThread(name: "vnc-net") { [network] in network.run() }
      }
    } catch { throw .host(error) }
  }

  /// Disconnects all viewers, closes the sockets, removes the Unix socket and waits for the threads. Must not be
  /// called by them.
  public func stop() {
    let isFirst = stateLock.withLock {
      defer { isStopped = true }
      return !isStopped
    }
    guard isFirst else { return }
    network.stop()
    // Without a thread, it is run here: it closes everything and ends.
    if let thread { thread.join() } else { network.run() }
    screen.stop()
  }

  /// Sets the password that viewers need if the configuration says so; nil lets nobody in. Viewers that are
  /// connected stay. Only the first eight bytes count.
  public func setPassword(_ text: String?) { password.set(text) }

  /// Where a viewer connects, in the form viewers take: "127.0.0.1:5900", or the Unix socket's path.
  public var displayAddress: String? {
    switch configuration.address {
    case .tcp(let host, _): return port.map { "\(Self.shown(host)):\($0)" }
    case .unix(let path): return path
    case .descriptor: return nil
    }
  }

  /// The browser console, if there is one.
  public var url: String? {
    guard let webPort else { return nil }
    var host = configuration.webSocket?.host
    if host == nil, case .tcp(let own, _) = configuration.address { host = own }
    return "http://\(Self.shown(host)):\(webPort)\(HTTPResponse.consoleTarget)"
  }

  private static func shown(_ host: String?) -> String {
    switch host {
    case nil, "localhost", "0.0.0.0", "::", "*": return "127.0.0.1"
    case let host?: return host.contains(":") ? "[\(host)]" : host
    }
  }
}
