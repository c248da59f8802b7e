// The distribution's viewer-request function (CloudFront Functions, JavaScript runtime 2.0).

// API Gateway refuses a raw { } or | in a query, and splits a value at a raw ; (Developer Guide,
// "Amazon API Gateway important notes"). Links of some advertisers have them.
const ESCAPES = { '{': '%7B', '}': '%7D', '|': '%7C', ';': '%3B' };

function handler(event) {
    const request = event.request;
    // As the visitor sent it. The parsed query loses the order of repeated names.
    const query = request.rawQueryString ? request.rawQueryString() : '';
    if (query && /[{}|;]/.test(query)) {
        request.querystring = query.replace(/[{}|;]/g, (character) => ESCAPES[character]);
    }
    // A prefetch header of any name becomes Sec-Purpose: an origin request policy has ten headers.
    const headers = request.headers;
    ['purpose', 'x-purpose', 'x-moz'].forEach((name) => {
        if (headers[name] && !headers['sec-purpose']) {
            headers['sec-purpose'] = { value: headers[name].value };
        }
    });
    return request;
}
