// NetworkManager with the methods that it had when it lived in the supervisor and ran
// `ip` and `iptables` as root. Now svnetd does that, and this class asks it.
import { setTimeout as sleep } from 'node:timers/promises';

import {
  credentials,
  status,
  type CallOptions,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';

import { errorInfoOf, NetworkService } from './contract';
import type { CreateTapResponse__Output } from './generated/svnet/v1/CreateTapResponse';
import type { GetNetworkResponse__Output } from './generated/svnet/v1/GetNetworkResponse';
import type { GuestView } from './generated/svnet/v1/GuestView';
import type { Tap__Output as Tap } from './generated/svnet/v1/Tap';

export type { GuestView, Tap };

export type TapDevice = Pick<Tap, 'tapName' | 'guestIp' | 'gatewayIp' | 'subnetMask' | 'mac'>;

export interface NetworkManagerOptions {
  // svnetd's to choose. If they are given, ensureBridge() checks that svnetd has the same.
  bridgeName?: string;
  subnet?: string;
  socketPath?: string;
}

export type NetworkErrorCode = 'BRIDGE_SETUP_FAILED' | 'TAP_CREATE_FAILED';

export class NetworkError extends Error {
  override readonly name = 'NetworkError';

  constructor(
    readonly code: NetworkErrorCode,
    message: string,
    // Finer than the code: one of the contract's ErrorReason, to switch on. Undefined if it
    // was not svnetd who refused.
    readonly reason?: string,
  ) {
    super(message);
  }
}

// Milliseconds.
const CALL_TIMEOUT = 5_000;
const PATIENCE = 10_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1_000;

const CHANNEL_OPTIONS = {
  // By default gRPC lets 1 s and more pass before it tries to connect again.
  'grpc.initial_reconnect_backoff_ms': FIRST_PAUSE,
  'grpc.max_reconnect_backoff_ms': LONGEST_PAUSE,
  // A path is no authority (RFC 3986).
  'grpc.default_authority': 'localhost',
};

type Method<Response> = (options: CallOptions, done: requestCallback<Response>) => void;

// Every call may be repeated, so each is, for 10 s at most, while svnetd is not there: it may
// be restarting. All throw NetworkError.
export class NetworkManager {
  private readonly options: NetworkManagerOptions;
  private readonly service;

  constructor(options: NetworkManagerOptions = {}) {
    this.options = options;
    const socket =
      options.socketPath ?? process.env['SVNET_SOCKET'] ?? '/run/svnet/svnetd.sock';
    this.service = new NetworkService(
      `unix:${socket}`,
      credentials.createInsecure(),
      CHANNEL_OPTIONS,
    );
  }

  // svnetd makes the bridge with the first TAP. This only sees whether svnetd is there, with
  // the bridge and the subnet that the caller expects.
  async ensureBridge(): Promise<void> {
    const network = await call<GetNetworkResponse__Output>(
      'BRIDGE_SETUP_FAILED',
      (options, done) => this.service.getNetwork({}, options, done),
    );
    const { bridgeName = network.bridge, subnet = network.prefix } = this.options;
    if (bridgeName === network.bridge && subnet === network.prefix) return;
    throw new NetworkError(
      'BRIDGE_SETUP_FAILED',
      `svnetd has ${network.bridge} with ${network.prefix}, and not ${bridgeName} with ${subnet}: ` +
        'set bridge and subnet in /etc/svnet/svnetd.toml',
    );
  }

  // The lease of (caller, vmId, ifaceId): the one that stands, or a new one. `guestView` is what a
  // guest believes that is restored from a snapshot (docs/clones.md).
  async createTap(vmId: string, ifaceId: string, guestView?: GuestView): Promise<Tap> {
    const response = await call<CreateTapResponse__Output>('TAP_CREATE_FAILED', (options, done) =>
      this.service.createTap({ vmId, ifaceId, guestView }, options, done),
    );
    if (response.tap === null) throw new NetworkError('TAP_CREATE_FAILED', 'svnetd gave no TAP');
    return response.tap;
  }

  // Fine if it is already gone.
  async removeTap(tapName: string): Promise<void> {
    await call('TAP_CREATE_FAILED', (options, done) =>
      this.service.removeTap({ tapName }, options, done),
    );
  }

  // svnetd's GetBootArgs knows more: the guest's host name, its DNS servers, another device.
  getBootArgs(tap: TapDevice): string {
    return `ip=${tap.guestIp}::${tap.gatewayIp}:${tap.subnetMask}::eth0:off`;
  }

  // Removes the caller's own TAPs. The bridge and the NAT are everybody's, and stay.
  async cleanup(): Promise<void> {
    await call('BRIDGE_SETUP_FAILED', (options, done) =>
      this.service.cleanup({ scope: 'CLEANUP_SCOPE_CALLER' }, options, done),
    );
  }
}

async function call<Response>(code: NetworkErrorCode, method: Method<Response>): Promise<Response> {
  const giveUp = Date.now() + PATIENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await callOnce(method);
    } catch (caught) {
      const error = caught as ServiceError;
      const late = Date.now() + pause > giveUp;
      if (error.code !== status.UNAVAILABLE || late) throw toNetworkError(code, error);
      console.error(`no svnetd yet: ${error.details}`);
    }
    await sleep(pause);
  }
}

function callOnce<Response>(method: Method<Response>): Promise<Response> {
  return new Promise((resolve, reject) => {
    method({ deadline: Date.now() + CALL_TIMEOUT }, (error, response) => {
      if (error !== null) reject(error);
      else resolve(response as Response);
    });
  });
}

// `code` is for reasons that had no name in the class that this one replaces.
function toNetworkError(code: NetworkErrorCode, error: ServiceError): NetworkError {
  const info = errorInfoOf(error);
  const names = [info?.metadata?.['ancestor_code'], info?.reason];
  const known = names.find((name) => name === 'BRIDGE_SETUP_FAILED' || name === 'TAP_CREATE_FAILED');
  return new NetworkError((known as NetworkErrorCode) ?? code, error.details, info?.reason);
}
